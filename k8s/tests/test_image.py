"""The image's binaries start in its root file system, as its user, and find what they need."""

import re
import subprocess
import tempfile
import unittest

from manifests import K8S, PIPELINES, ROOT, VERSION, containers, render, title, workloads, yaml
from pods import environment_of
from rootfs import Image


class InTheImage(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        # mkdtemp's mode 0700 would keep the image's user out of its root.
        subprocess.run(["chmod", "755", folder.name], check=True)
        cls.image = Image(folder.name)

    def run_in_it(self, *command, **environment):
        line, environment = self.image.chroot(command, environment)
        return subprocess.run(line, env=environment, capture_output=True, text=True, timeout=60)

    def test_each_binary_starts(self):
        names = sorted(path.name for path in self.image.binaries)
        self.assertEqual(names, ["coingecko-source", "coinlake", "parquet-sink"])
        for name in names:
            for flag in ("--version", "--help"):
                with self.subTest(f"{name} {flag}"):
                    done = self.run_in_it(name, flag)
                    self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn(VERSION, self.run_in_it(name, "--version").stdout)

    def test_the_smartmodules_lie_where_deploy_looks_for_them(self):
        """It reads them before it connects, so the only thing missing here is the cluster."""
        done = self.run_in_it("coinlake", "deploy", "--yes", "--cluster=127.0.0.1:1")
        self.assertEqual(done.returncode, 1)
        self.assertIn("no Fluvio cluster at 127.0.0.1:1", done.stderr)

    def test_the_user_can_change_nothing(self):
        """The root file system is read-only in Kubernetes; its user owns only the volume's folder."""
        found = subprocess.run(
            ["find", self.image.root, "-not", "-type", "l", "(", "-uid", "65532", "-o", "-perm", "-o+w", ")"],
            capture_output=True, text=True, check=True,
        )
        own = {path.removeprefix(str(self.image.root)) for path in found.stdout.split()}
        self.assertEqual(own - {"/dev/null", "/dev/urandom"}, {"/tmp", "/var/lib/coinlake"})

    def test_the_commands_of_all_pods_are_understood(self):
        """With --help at the end everything before it is parsed; an unknown option or a wrong value fails first."""
        commands = {}
        for name in PIPELINES:
            objects = render(name)
            for item, template in workloads(objects):
                for container in containers(template):
                    if container["image"].startswith("coinlake:"):
                        values = environment_of(container, objects)
                        words = container.get("command", []) + container.get("args", [])
                        words = tuple(re.sub(r"\$\((\w+)\)", lambda m: values[m[1]], word) for word in words)
                        commands[words] = f"{title(item)}/{container['name']}"
        for words, where in commands.items():
            with self.subTest(where):
                done = self.run_in_it(*words, "--help")
                self.assertEqual(done.returncode, 0, done.stderr)

    def test_the_commands_of_compose_are_understood(self):
        services = yaml.safe_load((K8S / "compose.yaml").read_text())["services"]
        for name, service in services.items():
            if service["image"].startswith("coinlake:"):
                for command in (service["command"], service.get("healthcheck", {}).get("test", ["CMD", "coinlake"])[1:]):
                    with self.subTest(f"{name}: {' '.join(command)}"):
                        done = self.run_in_it(*command, "--help")
                        self.assertEqual(done.returncode, 0, done.stderr)
