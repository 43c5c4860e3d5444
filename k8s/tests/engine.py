"""A container engine without a registry: buildah and podman with storage of their own, and images made here."""

import os
import pathlib
import platform
import shutil
import subprocess
import time
import unittest

from manifests import K8S
from rootfs import Image, built, last_stage

PROGRAMS = ("buildah", "podman", "runc")
CONFIG = """
[containers]
default_ulimits = ["nofile=16384:16384", "nproc=30000:30000"]
pids_limit = 0
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
[network]
network_backend = "netavark"
network_config_dir = "FOLDER/networks"
"""
# Timeout of every wait, enough for a busy machine.
PATIENCE_SECS = 120


class Engine:
    def __init__(self, folder, cleanup):
        missing = [name for name in PROGRAMS if not shutil.which(name)]
        if missing or platform.system() != "Linux" or os.geteuid() != 0:
            raise unittest.SkipTest(f"only root on Linux runs containers here, with buildah, podman and runc; missing: {missing}")
        if subprocess.run(["unshare", "--mount", "--net", "true"], capture_output=True).returncode:
            raise unittest.SkipTest("no namespaces here: a container within a container has too few rights")
        self.folder = pathlib.Path(folder)
        config = self.folder / "containers.conf"
        config.write_text(CONFIG.replace("FOLDER", str(self.folder)))
        self.environment = os.environ | {"CONTAINERS_CONF": str(config)}
        self.storage = [f"--root={self.folder}/root", f"--runroot={self.folder}/run", "--storage-driver=vfs"]
        cleanup(lambda: self.podman("rm", "--all", "--force"))

    def run(self, program, *arguments):
        line = [program, *self.storage, *arguments]
        return subprocess.run(line, capture_output=True, text=True, env=self.environment, timeout=PATIENCE_SECS)

    def must(self, program, *arguments):
        done = self.run(program, *arguments)
        if done.returncode:
            raise AssertionError(f"{program} {' '.join(map(str, arguments))}: {done.stdout}{done.stderr}")
        return done.stdout.strip()

    def podman(self, *arguments):
        return self.must("podman", *arguments)

    def image_of(self, folder, name):
        """An image with the files of a folder."""
        container = self.must("buildah", "from", "scratch")
        self.must("buildah", "copy", "--quiet", container, folder, "/")
        self.must("buildah", "commit", "--quiet", container, name)
        self.must("buildah", "rm", container)

    def build(self, name):
        """The Containerfile's image, with the commands that are built on this machine, without their symbols as in a release, on a base of
        its Debian packages."""
        base, files = self.folder / "base", self.folder / "files"
        base.mkdir()
        Image(base)
        for path in ("opt", "var", "dev", "proc"):
            shutil.rmtree(base / path)
        for word, rest in last_stage():
            if word == "COPY":
                *_, source, _ = rest.split()
                here, there = built(source), files / source.lstrip("/")
                there.parent.mkdir(parents=True, exist_ok=True)
                if here is None:
                    there.mkdir()
                elif here.is_dir():
                    shutil.copytree(here, there)
                elif subprocess.run(["strip", "-o", there, here], capture_output=True).returncode:
                    shutil.copy(here, there)
        self.image_of(base, "localhost/base")
        self.image_of(files, "localhost/files")
        arguments = ["FILES=localhost/files", "BASE_IMAGE=localhost/base"]
        self.must(
            "buildah", "build", "--pull=never", f"--file={K8S / 'Containerfile'}", f"--tag={name}",
            *[f"--build-arg={argument}" for argument in arguments], files / "src",
        )

    def serve(self, network, cleanup):
        """The engine as a service, in a network of its own; returns its address for Docker's clients."""
        socket = self.folder / "podman.sock"
        line = network.inside(["podman", *self.storage, "system", "service", "--time=0", f"unix://{socket}"])
        with open(self.folder / "service.log", "w") as log:
            service = subprocess.Popen(line, env=self.environment, stdout=log, stderr=log)
        cleanup(service.wait)
        cleanup(service.kill)
        deadline = time.monotonic() + PATIENCE_SECS
        while not socket.exists():
            if service.poll() is not None or time.monotonic() > deadline:
                raise AssertionError((self.folder / "service.log").read_text())
            time.sleep(0.1)
        return f"unix://{socket}"
