"""The pods of overlays/local run as rendered: without Fluvio, with it, and until SIGTERM. The service `coinlake` of
compose.yaml, started as written there, plays the Fluvio cluster."""

import re
import signal
import subprocess
import tempfile
import unittest

from manifests import K8S, ROOT, of_kind, pod_template, render, yaml
from pods import PATIENCE_SECS, Network, Process, start
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

    def pod(self, kind, name, metrics_port, initial=None, image=None):
        """The main container of pod 0, or an initial one."""
        item = next(i for i in of_kind(self.objects, kind) if i["metadata"]["name"] == name)
        spec = pod_template(item)["spec"]
        initials = {container["name"]: container for container in spec.get("initContainers", [])}
        container = initials[initial] if initial else spec["containers"][0]
        return start(image or self.image(), self.network, item, container, self.objects, self.addCleanup, metrics_port)

    def platform(self):
        service = yaml.safe_load((K8S / "compose.yaml").read_text())["services"]["coinlake"]
        # MLflow is missing: it is only needed for the first model.
        return Process(self.image(), self.network, service["command"], {}, self.addCleanup, metrics_port=9464)

    def test_without_a_cluster_pods_live_and_are_not_ready(self):
        waiting = self.pod("StatefulSet", "stage-raw", None, initial="wait-for-deploy")
        pods = [self.pod("StatefulSet", "stage-raw", 9501), self.pod("Deployment", "source", 9502)]
        for pod in pods:
            pod.becomes("/healthz", 200)
            self.assertIn("[-]", pod.becomes("/readyz", 503))
            self.assertEqual(pod.end(signal.SIGTERM), 0, pod.said())
        self.assertIsNone(waiting.process.poll(), f"did not wait for a cluster: {waiting.said()}")
        self.assertEqual(waiting.end(signal.SIGTERM), 1, waiting.said())

    def test_the_source_deploys_and_a_stage_refuses_the_smartmodules_of_another_version(self):
        # The platform that plays the cluster has one partition a topic.
        next(i for i in of_kind(self.objects, "ConfigMap") if "partitions" in i.get("data", {}))["data"]["partitions"] = "1"
        # It deploys too, when it starts: the console comes after that.
        self.platform().becomes("/", 200, port=9080)
        other = self.image()
        module = other.root / "opt/coinlake/smartmodules/crypto-clean.wasm"
        module.write_bytes((module.parent / "crypto-anomaly.wasm").read_bytes())

        def ended(kind, name, initial, image=None):
            pod = self.pod(kind, name, None, initial, image)
            return pod.process.wait(PATIENCE_SECS), pod.said()

        code, said = ended("Deployment", "source", "deploy")
        self.assertEqual(code, 0, said)
        code, said = ended("StatefulSet", "stage-raw", "same-version")
        self.assertEqual(code, 0, said)
        code, said = ended("StatefulSet", "stage-raw", "same-version", other)
        self.assertEqual(code, 1, said)
        # docs/troubleshooting.md quotes it.
        quoted = re.search("`same-version` says `(.*?)`", (ROOT / "docs/troubleshooting.md").read_text())[1]
        self.assertRegex(said, re.escape(quoted).replace("N", "[0-9]+", 1).replace("steps", "steps?"))
        self.assertRegex(said, "(?m)^.*update.*crypto-clean")

    def test_with_a_cluster_they_become_ready_and_notice_when_it_goes(self):
        waiting = self.pod("StatefulSet", "stage-raw", None, initial="wait-for-deploy")
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
