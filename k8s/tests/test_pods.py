"""The pods of overlays/local run as they are rendered: with Fluvio away, with it there, and ended by SIGTERM. What stands
in for the Fluvio cluster is the service `coinlake` of compose.yaml, started as it is written there."""

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
        """A root file system of its own for each pod, as each has its own mounts."""
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
        # No MLflow is here: where runs are kept is asked for when the first model is.
        return Process(self.image(), self.network, service["command"], {}, self.addCleanup, metrics_port=9464)

    def test_probes_tell_the_truth_and_sigterm_ends_in_order(self):
        stage = self.pod("StatefulSet", "stage-raw", 9501)
        source = self.pod("Deployment", "source", 9502)
        waiting = self.pod("StatefulSet", "stage-raw", None, initial=True)
        for pod in (stage, source):
            pod.becomes("/healthz", 200)
            self.assertIn("[-]", pod.becomes("/readyz", 503))
        self.assertIsNone(waiting.process.poll(), f"did not wait for a cluster: {waiting.said()}")

        platform = self.platform()
        platform.becomes("/healthz", 200)
        self.assertIn("Coinlake", self.network.status(9080, "/")[1])
        self.assertEqual(waiting.process.wait(120), 0, waiting.said())
        self.assertIn("[+]", stage.becomes("/readyz", 200))
        # CoinGecko cannot be reached from here: alive, but not ready.
        source.becomes("/healthz", 200)
        source.becomes("/readyz", 503)

        self.assertEqual(stage.end(signal.SIGTERM), 0, stage.said())
        self.assertEqual(source.end(signal.SIGTERM), 0, source.said())
        self.assertEqual(platform.end(signal.SIGTERM), 0, platform.said())

    def test_a_stage_notices_that_the_cluster_went_away(self):
        platform = self.platform()
        stage = self.pod("StatefulSet", "stage-raw", 9501)
        stage.becomes("/readyz", 200)
        platform.end(signal.SIGKILL)
        stage.becomes("/readyz", 503)
        stage.becomes("/healthz", 200)
        self.assertEqual(stage.end(signal.SIGTERM), 0, stage.said())
