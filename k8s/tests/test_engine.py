"""A container engine builds the Containerfile and runs the image, read-only and without rights, and compose.yaml."""

import json
import os
import subprocess
import tempfile
import time
import unittest

from engine import PATIENCE_SECS, Engine
from manifests import K8S, ROOT, VERSION, tool, yaml
from pods import Network

# As compose.yaml names it, and as Docker's clients ask for that.
IMAGE = f"docker.io/library/coinlake:{VERSION}"
CLOSED = ["--read-only", "--read-only-tmpfs=false", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--network=none"]


class InAnEngine(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        subprocess.run(["chmod", "755", folder.name], check=True)
        cls.engine = Engine(folder.name, cls.addClassCleanup)
        cls.engine.build(IMAGE)

    def test_the_image_says_what_it_is(self):
        [about] = json.loads(self.engine.podman("inspect", "--type=image", IMAGE))
        labels = about["Config"]["Labels"]
        self.assertEqual(labels["org.opencontainers.image.version"], VERSION)
        self.assertEqual(about["Config"]["User"], "65532:65532")

    def test_the_demo_runs_without_a_right(self):
        demo = ["coinlake", "demo", "--exit", "--json", "--speed=max", "--data=/var/lib/coinlake/demo"]
        said = self.engine.podman("run", "--rm", *CLOSED, "--volume=demo:/var/lib/coinlake", IMAGE, *demo)
        self.assertGreater(json.loads(said)["records"]["alerts"], 0)
        # And nothing but the volume can be written.
        done = self.engine.run("podman", "run", "--rm", *CLOSED, IMAGE, *demo)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("Read-only file system", done.stderr)

    def test_compose_starts_the_platform_as_it_is_written(self):
        """Its own services: the others are images of a registry."""
        compose = tool("docker-compose", "COINLAKE_DOCKER_COMPOSE", "which reads compose.yaml")
        network = Network(self.addCleanup)
        environment = os.environ | {"DOCKER_HOST": self.engine.serve(network, self.addCleanup), "COMPOSE_PROJECT_NAME": "test"}

        def run(*arguments):
            line = [compose, "--file", K8S / "compose.yaml", *arguments]
            done = subprocess.run(line, env=environment, capture_output=True, text=True, timeout=PATIENCE_SECS)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            return done.stdout
        services = ["coinlake", "trainer"]
        run("up", "--detach", "--no-build", "--no-deps", "--pull=never", *services)
        self.addCleanup(run, "down", "--volumes", "--timeout=30")
        deadline = time.monotonic() + PATIENCE_SECS
        while network.status(9080, "/")[0] != 200:
            self.assertLess(time.monotonic(), deadline, run("logs"))
            time.sleep(0.5)
        written = yaml.safe_load((K8S / "compose.yaml").read_text())["services"]
        for name in services:
            [about] = json.loads(self.engine.podman("inspect", f"test-{name}-1"))
            self.assertEqual(about["State"]["Status"], "running", run("logs", name))
            self.assertTrue(about["HostConfig"]["ReadonlyRootfs"], name)
            self.assertEqual((about["EffectiveCaps"] or [], about["Config"]["User"]), ([], "65532:65532"), name)
            self.assertEqual(about["Config"]["Cmd"], written[name]["command"])
