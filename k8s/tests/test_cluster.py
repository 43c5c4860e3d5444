"""What an operator types, on a control plane: install, upgrade, roll back, scale, drain, uninstall; every overlay and the chart."""

import concurrent.futures
import copy
import json
import os
import re
import subprocess
import tempfile
import unittest

from cluster import Cluster
from kubelet import NODES, Kubelet
from manifests import OF_OPERATORS, PIPELINES, containers, of_kind, render, tool, workloads, yaml
from test_chart import CHART, VALUES

WORKLOADS = "deployments,statefulsets,cronjobs"
KINDS = f"{WORKLOADS},configmaps,services,networkpolicies,poddisruptionbudgets,roles,rolebindings"
STAGES = "app.kubernetes.io/name=stage"
# Kinds of operators, whose controllers are not here.
OPERATORS = {
    "PodMonitor": "podmonitors", "PrometheusRule": "prometheusrules", "ExternalSecret": "externalsecrets",
    "VolumeSnapshot": "volumesnapshots",
}

# Two parts of the control plane wrote at once, and one of them writes again.
MADE_ANEW = "the object has been modified; please apply your changes to the latest version and try again"
# The API server checks its own addresses every three minutes. A Service made that moment can be reported as having
# none, and gets its address back (kubernetes/kubernetes#37488).
ADDRESS_CHECK = "ipallocator-repair-controller"
# A CronJob that an upgrade changes in the moment of its schedule: the controller makes the Job, may not write it into the
# status, and sees it finish (kubernetes/kubernetes#120649).
FORGOTTEN_JOB = re.compile(r"Saw a job that the controller did not create or forgot: (trainer|upkeep)-\d+")


def custom_resource(item):
    """The definition of an operator's kind, which accepts everything."""
    group, version = item["apiVersion"].split("/")
    plural = OPERATORS[item["kind"]]
    anything = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}", "annotations": {"api-approved.kubernetes.io": "unapproved, a test's"}},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": plural, "kind": item["kind"]},
            "versions": [{"name": version, "served": True, "storage": True, "schema": anything}],
        },
    }


def volumes(count):
    """Volumes that a claim gets when its first pod is scheduled, as from a cloud's default storage class."""
    yield {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": "disks", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
        "provisioner": "kubernetes.io/no-provisioner",
        "volumeBindingMode": "WaitForFirstConsumer",
        "allowVolumeExpansion": True,
    }
    for number in range(count):
        yield {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": f"disk-{number}"},
            "spec": {
                "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "100Gi"}, "storageClassName": "disks",
                "hostPath": {"path": f"/disks/{number}"},
            },
        }


class OnACluster(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.cluster = Cluster(folder.name, cls.addClassCleanup)
        cls.kubelet = Kubelet(cls.cluster, cls.addClassCleanup)
        kinds = {i["kind"]: i for name in PIPELINES for i in render(name) if i["apiVersion"].startswith(OF_OPERATORS)}
        before = [*volumes(5 * len(PIPELINES)), *map(custom_resource, kinds.values())]
        cls.cluster.kubectl("apply", "--filename=-", given=before)

    def setUp(self):
        self.kubelet.is_sick = lambda pod: False

    # What an operator sees.

    def of_all(self, kind, namespaces):
        found = self.cluster.ask("GET", f"/{kind}")["items"]
        return [item for item in found if item["metadata"]["namespace"] in namespaces]

    def all_ready(self, namespaces):
        """Waits until every workload has its pods, all of the newest version and ready."""
        def missing():
            for kind in ("apis/apps/v1/deployments", "apis/apps/v1/statefulsets"):
                for item in self.of_all(kind, namespaces):
                    status, wanted = item["status"], item["spec"]["replicas"]
                    counts = [status.get(f"{what}Replicas", 0) for what in ("ready", "updated", "available")]
                    same = status.get("currentRevision") == status.get("updateRevision")
                    if status.get("observedGeneration") != item["metadata"]["generation"] or counts != [wanted] * 3 or not same \
                            or status.get("replicas", 0) != wanted:
                        return f"{item['metadata']['namespace']}/{item['metadata']['name']} {status}"
            return True
        self.cluster.wait_until("every pod is ready", missing)

    def warnings(self, namespaces):
        events = self.of_all("api/v1/events", namespaces)
        return [
            f"{e['metadata']['namespace']}/{e['involvedObject'].get('name')}: {e['reason']}: {e['message']}"
            for e in events
            if e["type"] == "Warning" and not e["message"].endswith(MADE_ANEW)
            and e["reportingComponent"] != ADDRESS_CHECK and not FORGOTTEN_JOB.fullmatch(e["message"])
        ]

    def images(self, namespaces):
        """The tags of our image."""
        items = self.of_all("apis/apps/v1/deployments", namespaces) + self.of_all("apis/apps/v1/statefulsets", namespaces)
        images = {c["image"] for item in items for c in containers(item["spec"]["template"])}
        return {image.partition(":")[2] for image in images if image.startswith("coinlake:")}

    def each(self, what, things):
        """Several at once, as the two cores of a small machine allow."""
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            return list(pool.map(what, things))

    # Kustomize.

    def test_overlays_are_installed_upgraded_scaled_drained_and_deleted(self):
        spaces = {f"overlay-{number}": name for number, name in enumerate(PIPELINES)}
        objects = dict(zip(spaces, self.each(lambda space: render(spaces[space], space), spaces)))
        on_a_volume = [space for space in spaces if "'claimName': 'lake'" in str(objects[space])]

        def before(space):
            permanent = render("permanent", space)
            if space not in on_a_volume:
                permanent = of_kind(permanent, "Namespace")
            self.cluster.kubectl("apply", "--filename=-", given=permanent)
        self.each(before, spaces)

        def apply(tag):
            def one(space):
                made = copy.deepcopy(objects[space])
                for _, template in workloads(made):
                    for container in containers(template):
                        container["image"] = container["image"].replace("coinlake:0.1.0", f"coinlake:{tag}")
                self.cluster.kubectl("apply", "--filename=-", given=made)
            self.each(one, spaces)
            self.all_ready(spaces)
            self.assertEqual(self.images(spaces), {tag})

        for tag in ("0.1.0", "0.2.0"):
            apply(tag)
        self.scale(spaces, 3)
        self.assertEqual(self.warnings(spaces), [])

        self.drain(NODES[0])
        self.all_ready(spaces)
        # The pods of a lake on a volume wait until the last of them has left its node.
        late = [said for said in self.warnings(spaces) if "FailedScheduling" not in said or said.split("/")[0] not in on_a_volume]
        self.assertEqual(late, [])
        self.cluster.kubectl("uncordon", NODES[0])
        self.scale(spaces, 1)

        self.each(lambda space: self.cluster.kubectl("--namespace", space, "delete", "--filename=-", given=objects[space]), spaces)
        for space in spaces:
            with self.subTest(spaces[space]):
                self.assertEqual(self.cluster.names(space, KINDS), ["configmap/kube-root-ca.crt"])
                claims = self.cluster.names(space, "persistentvolumeclaims")
                self.assertEqual("persistentvolumeclaim/lake" in claims, space in on_a_volume)
                self.assertEqual(self.cluster.get(space, "namespace", space)["status"]["phase"], "Active")

    def scale(self, spaces, pods):
        command = ["scale", "statefulset", f"--selector={STAGES}", f"--replicas={pods}"]
        self.each(lambda space: self.cluster.kubectl("--namespace", space, *command), spaces)
        self.all_ready(spaces)

    def drain(self, node):
        """The server evicts what the budgets allow; what is evicted runs on the other node."""
        self.cluster.kubectl("drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=120s")
        left = self.cluster.ask("GET", f"/api/v1/pods?fieldSelector=spec.nodeName={node}")["items"]
        self.assertEqual([pod["metadata"]["name"] for pod in left if pod["status"]["phase"] == "Running"], [])

    def test_pods_that_are_not_ready_hold_up_no_drain(self):
        """And would, were the budgets' policy the default."""
        objects = render("local without trainer and MLflow", "sick")
        self.cluster.kubectl("apply", "--filename=-", given=render("permanent", "sick"))
        self.cluster.kubectl("apply", "--filename=-", given=objects)
        self.all_ready(["sick"])
        self.kubelet.is_sick = lambda pod: pod["metadata"]["namespace"] == "sick"
        budgets = copy.deepcopy(of_kind(objects, "PodDisruptionBudget"))
        for budget in budgets:
            budget["spec"]["unhealthyPodEvictionPolicy"] = "IfHealthyBudget"
        self.cluster.kubectl("apply", "--filename=-", given=budgets)

        def none_is_healthy():
            found = self.of_all("apis/policy/v1/poddisruptionbudgets", ["sick"])
            return all(b["status"].get("currentHealthy") == 0 and b["status"]["expectedPods"] == 1 and
                       b["status"]["observedGeneration"] == b["metadata"]["generation"] for b in found)
        self.cluster.wait_until("the budgets know that no pod is ready", none_is_healthy)
        pods = [pod["metadata"]["name"] for pod in self.of_all("api/v1/pods", ["sick"])]
        refused = [self.evict(pod) for pod in pods if not pod.startswith("upkeep")]
        self.assertTrue(refused and all("TooManyRequests" in said for said in refused), refused)
        self.cluster.kubectl("apply", "--filename=-", given=of_kind(objects, "PodDisruptionBudget"))
        self.cluster.wait_until("the budgets are ours again", none_is_healthy)
        self.drain(NODES[1])
        self.cluster.kubectl("uncordon", NODES[1])
        self.cluster.kubectl("delete", "namespace", "sick", "--wait=false")

    def evict(self, pod):
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": "sick"}}
        path = f"/api/v1/namespaces/sick/pods/{pod}/eviction"
        done = self.cluster.try_kubectl("create", "--raw", path, "--filename=-", given=json.dumps(eviction))
        return done.stdout + done.stderr

    def test_stages_may_take_leases_and_nothing_else_may(self):
        self.cluster.kubectl("create", "namespace", "rights")
        rights = of_kind(render("local", "rights"), "ServiceAccount", "Role", "RoleBinding")
        self.cluster.kubectl("apply", "--filename=-", given=rights)

        def may(account, *what):
            who = f"--as=system:serviceaccount:rights:{account}"
            return self.cluster.try_kubectl("auth", "can-i", *what, who, "--namespace=rights").stdout.strip()
        for account, answer in (("lake-writer", "yes"), ("lake-reader", "no"), ("coinlake", "no")):
            for what in (["get", "statefulsets/scale"], ["get", "leases"], ["create", "leases"], ["update", "leases"]):
                what = [what[0], "statefulsets", "--subresource=scale"] if "/" in what[1] else what
                self.assertEqual(may(account, *what), answer, (account, what))
        for what in (["get", "secrets"], ["delete", "leases"], ["update", "statefulsets", "--subresource=scale"], ["list", "pods"]):
            self.assertEqual(may("lake-writer", *what), "no", what)

    # The chart.

    def helm(self, space, *arguments, values=None):
        program = tool("helm", "COINLAKE_HELM", "which installs the chart")
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            yaml.safe_dump(values or {}, file)
            file.flush()
            given = [f"--values={file.name}"] if values is not None else []
            line = [program, f"--kubeconfig={self.cluster.config}", "--namespace", space, *arguments, *given]
            environment = os.environ | {"HELM_NO_PLUGINS": "1", "HELM_CACHE_HOME": str(self.cluster.folder / "helm")}
            done = subprocess.run(line, capture_output=True, text=True, env=environment)
        if done.returncode or re.search("warning", done.stderr, re.I):
            raise AssertionError(f"helm {' '.join(arguments)}: {done.stdout}{done.stderr}")
        return done.stdout

    def test_the_chart_is_installed_upgraded_rolled_back_tested_and_uninstalled(self):
        spaces = {f"chart-{number}": values for number, values in enumerate(VALUES.values())}

        def install(space):
            self.cluster.kubectl("apply", "--filename=-", given=of_kind(render("permanent", space), "Namespace"))
            self.helm(space, "install", "coinlake", str(CHART), values=spaces[space])
        self.each(install, spaces)
        self.all_ready(spaces)
        self.each(lambda space: self.helm(space, "upgrade", "coinlake", str(CHART), "--set=image.tag=0.2.0", values=spaces[space]), spaces)
        self.all_ready(spaces)
        self.assertEqual(self.images(spaces), {"0.2.0"})
        self.each(lambda space: self.helm(space, "rollback", "coinlake"), spaces)
        self.all_ready(spaces)
        self.assertEqual(self.images(spaces), {"0.1.0"})
        # The test's pod is one more for the kubelet.
        self.helm("chart-0", "test", "coinlake")
        self.assertEqual(self.warnings(spaces), [])
        self.each(lambda space: self.helm(space, "uninstall", "coinlake"), spaces)
        for space, values in spaces.items():
            with self.subTest(values):
                self.assertEqual(self.cluster.names(space, KINDS), ["configmap/kube-root-ca.crt"])
                claims = self.cluster.names(space, "persistentvolumeclaims")
                self.assertEqual("persistentvolumeclaim/lake" in claims, "lake" not in values)

    def test_what_was_changed_by_hand_is_the_charts_again_when_operations_says_so(self):
        if "v3." in self.helm("by-hand", "version", "--short"):
            self.skipTest("Helm 3 sets everything back without being told")

        def replicas():
            return self.cluster.get("by-hand", "statefulset", "stage-raw")["spec"]["replicas"]

        def upgrade(*more):
            self.helm("by-hand", "upgrade", "--install", "coinlake", str(CHART), *more)
        self.cluster.kubectl("apply", "--filename=-", given=of_kind(render("permanent", "by-hand"), "Namespace"))
        upgrade()
        self.cluster.kubectl("--namespace=by-hand", "scale", "statefulset", f"--selector={STAGES}", "--replicas=2")
        with self.assertRaisesRegex(AssertionError, "conflict occurred while applying object"):
            upgrade()
        upgrade("--force-conflicts")
        self.assertEqual(replicas(), 1)
        upgrade("--set=stages.copies=2")
        self.assertEqual(replicas(), 2)
        self.all_ready(["by-hand"])
        upgrade("--set=lake.volume.size=60Gi")
        claim = self.cluster.get("by-hand", "persistentvolumeclaim", "lake")
        self.assertEqual(claim["spec"]["resources"]["requests"]["storage"], "60Gi")

        # A claim that was restored from a snapshot.
        self.helm("by-hand", "uninstall", "coinlake")
        self.cluster.kubectl("--namespace=by-hand", "delete", "persistentvolumeclaims", "lake", "--timeout=2m")
        claim = {key: claim[key] for key in ("apiVersion", "kind")} | {
            "metadata": {"name": "lake", "namespace": "by-hand"},
            "spec": {key: claim["spec"][key] for key in ("accessModes", "resources")},
        }
        self.cluster.kubectl("apply", "--filename=-", given=[claim])
        with self.assertRaisesRegex(AssertionError, "cannot be imported"):
            upgrade()
        upgrade("--set=lake.volume.create=false")
        self.all_ready(["by-hand"])
