"""The pods of overlays/local run as rendered: without Fluvio, with it, and until SIGTERM. The service `coinlake` of
compose.yaml, started as written there, plays the Fluvio cluster."""

import signal
import subprocess
import tempfile
import unittest

from manifests import K8S, of_kind, pod_template, render, yaml
from pods import Network, Process, start
from rootfs import Image


class Pods(unittest.TestCase):
    def setUp(self):
        self.objects = render("local")
        self.network = Network(self.addCleanup)

    def image(self):
        """Each pod has its own root file system, because each has its own mounts."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        subprocess.run(["chmod", "755", folder.name], check=True)
        image = Image(folder.name)
        (image.root / "etc/hosts").write_text("127.0.0.1 localhost fluvio-sc-public.default.svc\n")
        return image

    def pod(self, kind, name, metrics_port, initial=False):
        item = next(i for i in of_kind(self.objects, kind) if i["metadata"]["name"] == name)
        containers = pod_template(item)["spec"]["initContainers" if initial else "containers"]
        return start(self.image(), self.network, item, containers[0], self.objects, self.addCleanup, metrics_port)

    def platform(self):
        service = yaml.safe_load((K8S / "compose.yaml").read_text())["services"]["coinlake"]
        # MLflow is missing: it is only needed for the first model.
        return Process(self.image(), self.network, service["command"], {}, self.addCleanup, metrics_port=9464)

    def test_without_a_cluster_pods_live_and_are_not_ready(self):
        waiting = self.pod("StatefulSet", "stage-raw", None, initial=True)
        pods = [self.pod("StatefulSet", "stage-raw", 9501), self.pod("Deployment", "source", 9502)]
        for pod in pods:
            pod.becomes("/healthz", 200)
            self.assertIn("[-]", pod.becomes("/readyz", 503))
            self.assertEqual(pod.end(signal.SIGTERM), 0, pod.said())
        self.assertIsNone(waiting.process.poll(), f"did not wait for a cluster: {waiting.said()}")
        self.assertEqual(waiting.end(signal.SIGTERM), 1, waiting.said())

    def test_with_a_cluster_they_become_ready_and_notice_when_it_goes(self):
        waiting = self.pod("StatefulSet", "stage-raw", None, initial=True)
        platform = self.platform()
        platform.becomes("/healthz", 200)
        self.assertIn("Coinlake", platform.becomes("/", 200, port=9080))
        self.assertEqual(waiting.process.wait(120), 0, waiting.said())
        stage = self.pod("StatefulSet", "stage-raw", 9501)
        source = self.pod("Deployment", "source", 9502)
        self.assertIn("[+]", stage.becomes("/readyz", 200))
        # CoinGecko cannot be reached: alive, but not ready.
        source.becomes("/healthz", 200)
        source.becomes("/readyz", 503)

        platform.end(signal.SIGKILL)
        stage.becomes("/readyz", 503)
        for pod in (stage, source):
            pod.becomes("/healthz", 200)
            self.assertEqual(pod.end(signal.SIGTERM), 0, pod.said())
