"""Docker Compose understands compose.yaml, which is as locked down as the manifests."""

import json
import shutil
import subprocess
import tempfile
import pathlib
import unittest

from manifests import K8S, tool, yaml


class Compose(unittest.TestCase):
    def setUp(self):
        self.services = yaml.safe_load((K8S / "compose.yaml").read_text())["services"]

    def test_compose_understands_it(self):
        compose = tool("docker-compose", "COINLAKE_DOCKER_COMPOSE", "which checks compose.yaml without an engine")
        done = subprocess.run(
            [compose, "--file", K8S / "compose.yaml", "config", "--format", "json"], capture_output=True, text=True
        )
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(json.loads(done.stdout)["services"].keys(), self.services.keys())

    def test_every_service_is_closed(self):
        for name, service in self.services.items():
            with self.subTest(name):
                self.assertTrue(service["read_only"])
                self.assertEqual(service["cap_drop"], ["ALL"])
                self.assertEqual(service["security_opt"], ["no-new-privileges:true"])
                self.assertIn("mem_limit", service)
                self.assertNotIn(service["image"].rpartition(":")[2], ("", "latest"))
                for port in service.get("ports", []):
                    self.assertTrue(port.startswith("127.0.0.1:"), port)

    def test_what_is_mounted_is_there(self):
        for name, service in self.services.items():
            for volume in service.get("volumes", []):
                source = volume.split(":")[0]
                if source.startswith("."):
                    self.assertTrue((K8S / source).is_file(), f"{name}: {source}")

    def test_prometheus_understands_its_files(self):
        promtool = tool("promtool", "COINLAKE_PROMTOOL", "which reads Prometheus' files: apt-get install prometheus")
        with tempfile.TemporaryDirectory() as folder:
            here = pathlib.Path(folder)
            for volume in self.services["prometheus"]["volumes"]:
                source, target, *_ = volume.split(":")
                if source.startswith("."):
                    shutil.copy(K8S / source, here / pathlib.Path(target).name)
            # Debian's promtool has no Kubernetes discovery, so the pods are listed here.
            scrape = yaml.safe_load((K8S / "monitoring/prometheus-scrape.yaml").read_text())
            for job in scrape["scrape_configs"]:
                del job["kubernetes_sd_configs"]
                job["static_configs"] = [{"targets": ["10.0.0.1:9464"]}]
            (here / "kubernetes.yml").write_text(yaml.safe_dump(scrape))
            for config in ("prometheus.yml", "kubernetes.yml"):
                done = subprocess.run([promtool, "check", "config", here / config], capture_output=True, text=True)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
