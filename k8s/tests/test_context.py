"""What is sent to the build of the image: all that it reads, and nothing else."""

import fnmatch
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

from manifests import K8S, ROOT, VERSION, skip


def ignored(path, patterns):
    """Whether Docker leaves out a file: the last pattern that fits it or a folder above decides."""
    parts, result = path.split("/"), False
    above = ["/".join(parts[: n + 1]) for n in range(len(parts))]
    for pattern in patterns:
        keep, pattern = pattern.startswith("!"), pattern.removeprefix("!")
        anywhere = pattern.removeprefix("**/")
        fits = any(
            fnmatch.fnmatch(one.rpartition("/")[2], anywhere) if anywhere != pattern
            else one.count("/") == pattern.count("/") and fnmatch.fnmatch(one, pattern)
            for one in above
        )
        if fits:
            result = not keep
    return result


def context():
    """The files of the repository that are sent."""
    lines = (K8S / "Containerfile.dockerignore").read_text().splitlines()
    patterns = [line for line in lines if line and not line.startswith("#")]
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        raise unittest.SkipTest("no checkout of git")
    return [path for path in listed.stdout.split("\0") if path and not ignored(path, patterns) and (ROOT / path).exists()]


class Context(unittest.TestCase):
    def test_it_has_nothing_that_the_build_does_not_read(self):
        folders = {path.split("/")[0] for path in context()}
        text = (ROOT / "Cargo.toml").read_text()
        crates = {member.split("/")[0] for member in re.findall(r'^    "([\w/-]+)",$', text.partition("[workspace.package]")[0], re.M)}
        self.assertEqual(folders, crates | {".cargo", "Cargo.lock", "Cargo.toml", "LICENSE", "fluvio-config"})

    def test_cargo_finds_every_crate_in_it_and_what_they_embed(self):
        cargo = shutil.which("cargo") or skip("no cargo")
        sent = set(context())
        with tempfile.TemporaryDirectory() as folder:
            for path in sent:
                there = pathlib.Path(folder, path)
                there.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / path, there)
            line = [cargo, "metadata", "--no-deps", "--offline", "--format-version=1", "--quiet"]
            done = subprocess.run(line, cwd=folder, capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stderr)
        for path in sent:
            if path.endswith(".rs") and "/src/" in path:
                for embedded in re.findall(r'include_(?:str|bytes)!\(\s*"([^"]+)"', (ROOT / path).read_text()):
                    file = (ROOT / path).parent.joinpath(embedded).resolve().relative_to(ROOT)
                    self.assertIn(str(file), sent, path)
        self.assertTrue({f"fluvio-config/{p.relative_to(ROOT / 'fluvio-config')}" for p in ROOT.glob("fluvio-config/*/*")} <= sent)

    def test_the_labels_are_true(self):
        text = (K8S / "Containerfile").read_text()
        label = dict(re.findall(r'org\.opencontainers\.image\.([\w.]+)="([^"]*)"', text))
        self.assertEqual((label["version"], label["licenses"]), (VERSION, "Apache-2.0"))
        self.assertIn(f"ARG BASE_IMAGE={label['base.name']}@sha256:", text)

    def test_images_are_pinned_by_digest(self):
        text = (K8S / "Containerfile").read_text()
        images = re.findall(r"^ARG (\w+_IMAGE)=(.*)$", text, re.M)
        self.assertEqual(len(images), 2)
        for name, image in images:
            self.assertRegex(image, r":[\w.-]+@sha256:[0-9a-f]{64}$", name)
