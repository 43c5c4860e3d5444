"""What an operator types, on an API server: install, upgrade, roll back, scale, evict, uninstall."""

import copy
import json
import tempfile
import unittest

from cluster import Cluster
from manifests import OF_OPERATORS, OVERLAYS, containers, of_kind, pod_template, render

KINDS = "deployments,statefulsets,cronjobs,configmaps,services,networkpolicies,poddisruptionbudgets"


def of_version(tag):
    objects = copy.deepcopy(render("local"))
    for item in objects:
        for container in containers(pod_template(item)) if pod_template(item) else []:
            container["image"] = container["image"].replace("coinlake:0.1.0", f"coinlake:{tag}")
    return objects


class OnAnApiServer(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.cluster = Cluster(folder.name, cls.addClassCleanup)
        cls.cluster.kubectl("apply", "--filename=-", given=render("permanent"))
        # Pods that the security standard would refuse are named in a warning.
        cls.cluster.kubectl("label", "namespace", "coinlake", "pod-security.kubernetes.io/warn=restricted")

    def images(self):
        workloads = [self.cluster.get("coinlake", *name.split("/")) for name in
                     self.cluster.names("coinlake", "deployments,statefulsets,cronjobs")]
        images = {c["image"] for item in workloads for c in containers(pod_template(item))}
        return {image for image in images if image.startswith("coinlake")}

    def test_every_overlay_is_accepted_without_a_warning(self):
        for name in OVERLAYS:
            objects = [item for item in render(name) if not item["apiVersion"].startswith(OF_OPERATORS)]
            with self.subTest(name):
                flags = ["--server-side", "--force-conflicts", "--dry-run=server", "--filename=-"]
                self.cluster.kubectl("apply", *flags, given=objects)

    def test_a_new_tag_applies_in_place_and_back_and_uninstalling_keeps_the_data(self):
        for tag in ("0.1.0", "0.2.0", "0.1.0"):
            self.cluster.kubectl("apply", "--filename=-", given=of_version(tag))
            self.assertEqual(self.images(), {f"coinlake:{tag}"})
        self.cluster.kubectl("apply", "--filename=-", given=render("local, three pods a stage"))
        self.assertEqual(self.cluster.get("coinlake", "statefulset", "stage-raw")["spec"]["replicas"], 3)
        self.cluster.kubectl("delete", "--filename=-", given=render("local, three pods a stage"))
        self.assertEqual(self.cluster.names("coinlake", KINDS), [])
        self.assertEqual(self.cluster.names("coinlake", "persistentvolumeclaims"), ["persistentvolumeclaim/lake"])
        self.assertNotIn("deletionTimestamp", self.cluster.get("coinlake", "namespace", "coinlake")["metadata"])

    def test_a_pod_that_is_not_ready_can_be_evicted(self):
        """And could not, were the budget's policy the default."""
        self.cluster.kubectl("create", "namespace", "drained")
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": "drained"}}
        self.cluster.kubectl("apply", "--filename=-", given=[account])
        [budget] = [b for b in of_kind(render("local"), "PodDisruptionBudget") if b["metadata"]["name"] == "source"]
        default = copy.deepcopy(budget)
        del default["spec"]["unhealthyPodEvictionPolicy"]
        for budget, answer in ((default, "TooManyRequests"), (budget, '"Success"')):
            budget = copy.deepcopy(budget)
            budget["metadata"]["namespace"] = "drained"
            pod = {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": "source", "namespace": "drained", "labels": budget["spec"]["selector"]["matchLabels"]},
                "spec": {"nodeName": "node", "containers": [{"name": "source", "image": "coinlake:0.1.0"}]},
            }
            self.cluster.kubectl("apply", "--filename=-", given=[budget, pod])
            # What the kubelet and the disruption controller write about one pod that is not ready.
            self.status("pod", {"phase": "Running", "conditions": [{"type": "Ready", "status": "False"}]})
            generation = self.cluster.get("drained", "poddisruptionbudget", "source")["metadata"]["generation"]
            self.status("poddisruptionbudget", {
                "observedGeneration": generation, "currentHealthy": 0, "desiredHealthy": 1, "disruptionsAllowed": 0, "expectedPods": 1
            })
            eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "source", "namespace": "drained"}}
            path = "/api/v1/namespaces/drained/pods/source/eviction"
            done = self.cluster.try_kubectl("create", "--raw", path, "--filename=-", given=json.dumps(eviction))
            self.assertIn(answer, done.stdout + done.stderr)

    def status(self, kind, status):
        patch = json.dumps({"status": status})
        self.cluster.kubectl("--namespace=drained", "patch", kind, "source", "--subresource=status", "--type=merge", f"--patch={patch}")
