"""The image's root file system without a container engine: the Containerfile's last stage, step by step, in a folder."""

import os
import pathlib
import platform
import re
import shlex
import shutil
import subprocess
import unittest

from manifests import K8S, ROOT

# The Debian packages of gcr.io/distroless/cc: libc6, libgcc-s1, libgomp1, libstdc++6 and libssl3 are all its libraries.
BASE_LIBRARIES = re.compile(
    r"(ld-linux[-.\w]*|libc|libm|libpthread|libdl|librt|libresolv|libutil|libgcc_s|libgomp|libstdc\+\+|libssl|libcrypto)\.so"
)
CERTIFICATES = pathlib.Path("/etc/ssl/certs/ca-certificates.crt")
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))


def last_stage():
    """The instructions after the last FROM: word and arguments."""
    text = re.sub(r"\\\n", " ", (K8S / "Containerfile").read_text())
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    starts = [index for index, line in enumerate(lines) if line.startswith("FROM ")]
    return [line.split(maxsplit=1) for line in lines[starts[-1] + 1 :]]


def built(source):
    """Where a file of the build stage is on this machine; None if only the build stage makes it."""
    path = pathlib.Path(source).relative_to("/src")
    if path == pathlib.Path("target/empty"):
        return None
    if path.parts[0] != "target":
        return ROOT / path
    # A release, or else what the tests were built with.
    releases = [TARGET / path.relative_to("target"), TARGET / "quick" / path.name]
    here = next((path for path in releases if path.exists()), None)
    if not here:
        raise unittest.SkipTest(f"{path} is not built: `cargo xtask k8s` builds it")
    return here


class Image:
    """An assembled root file system, and how the image starts in it."""

    def __init__(self, folder):
        if platform.system() != "Linux" or os.geteuid() != 0:
            raise unittest.SkipTest("only root on Linux can chroot")
        self.root, self.environment, self.user, self.binaries = pathlib.Path(folder), {}, None, []
        self.base()
        for word, rest in last_stage():
            match word:
                case "COPY":
                    self.copy(rest)
                case "ENV":
                    self.environment.update(part.split("=", 1) for part in shlex.split(rest))
                case "USER":
                    self.user = rest
                case "WORKDIR" | "CMD" | "LABEL":
                    pass  # changes no file
                case _:
                    raise AssertionError(f"the last stage of the Containerfile says {word}, which this test cannot do")
        for binary in self.binaries:
            self.libraries(binary)

    def base(self):
        """The files of distroless/cc that this machine has too."""
        for path, mode in (("tmp", 0o1777), ("etc/ssl/certs", 0o755), ("home/nonroot", 0o755), ("proc", 0o555), ("dev", 0o755)):
            (self.root / path).mkdir(parents=True)
            (self.root / path).chmod(mode)
        os.mknod(self.root / "dev/null", 0o666 | 0o020000, os.makedev(1, 3))
        os.mknod(self.root / "dev/urandom", 0o666 | 0o020000, os.makedev(1, 9))
        for node in ("null", "urandom"):
            (self.root / "dev" / node).chmod(0o666)
        (self.root / "etc/passwd").write_text(
            "root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n"
        )
        (self.root / "etc/nsswitch.conf").write_text("hosts: files dns\n")
        if CERTIFICATES.exists():
            shutil.copy(CERTIFICATES, self.root / "etc/ssl/certs/ca-certificates.crt")

    def libraries(self, binary):
        """The shared libraries of a binary; the base must have all of them."""
        listed = subprocess.run(["ldd", binary], capture_output=True, text=True, check=True).stdout
        for path in re.findall(r"(/\S+\.so\S*) \(0x", listed):
            if not BASE_LIBRARIES.match(os.path.basename(path)):
                raise AssertionError(f"{binary} needs {path}, which distroless/cc does not have")
            there = self.root / path.lstrip("/")
            there.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, there)

    def copy(self, rest):
        words = shlex.split(rest)
        flags = dict(word[2:].split("=", 1) for word in words if word.startswith("--"))
        *sources, destination = [word for word in words if not word.startswith("--")]
        there = self.root / destination.lstrip("/")
        there.parent.mkdir(parents=True, exist_ok=True)
        for source in sources:
            here = built(source)
            if here is None:
                there.mkdir()
            elif here.is_dir():
                shutil.copytree(here, there)
            else:
                shutil.copy(here, there)
                if os.access(here, os.X_OK):
                    self.binaries.append(there)
        if "chown" in flags:
            user, group = map(int, flags["chown"].split(":"))
            os.chown(there, user, group)

    def chroot(self, command, environment=None):
        """The command line that starts `command` as the image's user in its root, with the /proc that every engine mounts;
        and the environment to give it."""
        user, group = self.user.split(":")
        line = [shutil.which("chroot"), f"--userspec={user}:{group}", "--groups=", str(self.root), *command]
        proc = f'{shutil.which("mount")} -t proc proc "$0/proc" && exec "$@"'
        line = [shutil.which("unshare"), "--mount", "/bin/sh", "-c", proc, str(self.root), *line]
        return line, {**self.environment, **(environment or {})}
