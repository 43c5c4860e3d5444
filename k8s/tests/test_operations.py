"""What docs/operations.md says about Kubernetes is typed, as it is written, on a control plane."""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import threading
import unittest

from cluster import Cluster
from kubelet import Kubelet
from manifests import K8S, ROOT, kubectl
from test_cluster import custom_resource, volumes

OVERLAY = """
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: coinlake
resources: [../k8s/overlays/local]
images: [{{ name: coinlake, newName: registry.example/coinlake, newTag: {tag} }}]
"""
SNAPSHOT = {"apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshot"}


def blocks():
    """The commands of each section, by its heading."""
    text = (ROOT / "docs/operations.md").read_text()
    section = text.partition("## Kubernetes, from day to day")[2].partition("\n## ")[0]
    parts = re.split(r"^### (.*)$", section, flags=re.M)
    return {
        heading: re.findall(r"^```sh\n(.*?)^```$", part, re.M | re.S) for heading, part in zip(parts[1::2], parts[2::2])
    }


class Typed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.cluster = Cluster(folder.name, cls.addClassCleanup)
        cls.kubelet = Kubelet(cls.cluster, cls.addClassCleanup)
        cls.cluster.kubectl("apply", "--filename=-", given=[*volumes(8), custom_resource(SNAPSHOT)])
        cls.home = pathlib.Path(folder.name, "home")
        (cls.home / "bin").mkdir(parents=True)
        (cls.home / "bin/kubectl").symlink_to(shutil.which(kubectl()))
        (cls.home / "k8s").symlink_to(K8S)
        (cls.home / "my-coinlake").mkdir()
        cls.overlay = cls.home / "my-coinlake/kustomization.yaml"
        cls.git("init", "--quiet")

    @classmethod
    def git(cls, *arguments):
        line = ["git", "-C", cls.overlay.parent, "-c", "user.name=test", "-c", "user.email=test@example.com", *arguments]
        subprocess.run(line, check=True, capture_output=True)

    def set_tag(self, tag):
        self.overlay.write_text(OVERLAY.format(tag=tag))
        self.git("add", "--all")
        self.git("commit", "--quiet", f"--message={tag}")

    def type(self, block):
        """Runs commands in a shell; each must succeed, and the first that differs from what is there is no failure of diff."""
        block = block.replace("kubectl diff -k my-coinlake", "kubectl diff -k my-coinlake || [ $? = 1 ]")
        environment = os.environ | {"KUBECONFIG": str(self.cluster.config), "PATH": f"{self.home / 'bin'}:{os.environ['PATH']}"}
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block], cwd=self.home, env=environment, capture_output=True, text=True, timeout=300
        )
        self.assertEqual(done.returncode, 0, f"{block}\n{done.stdout}{done.stderr}")
        return done.stdout

    def images(self):
        jsonpath = "--output=jsonpath={..containers[*].image}"
        return set(self.cluster.kubectl("--namespace=coinlake", "get", "deployments,statefulsets", jsonpath).split()) - self.others

    def pods_of_stages(self):
        found = self.cluster.kubectl("--namespace=coinlake", "get", "pods", "--selector=app.kubernetes.io/name=stage", "--output=name")
        return len(found.split())

    def snapshots_become_ready(self):
        """As their controller says."""
        path = "/apis/snapshot.storage.k8s.io/v1/namespaces/coinlake/volumesnapshots"
        while not self.done.wait(0.5):
            for item in self.cluster.ask("GET", path)["items"]:
                self.cluster.ask("PATCH", f"{path}/{item['metadata']['name']}", {"status": {"readyToUse": True}})

    def test_each_command_does_what_is_said(self):
        typed = blocks()
        mlflow = re.search(r"image: (\S*mlflow\S*)", (K8S / "components/mlflow/mlflow.yaml").read_text())[1]
        self.others = {mlflow}
        ours = "registry.example/coinlake:"
        permanent, *rest = typed.pop("Install")
        self.set_tag("0.1.0")
        self.type(permanent.replace("k8s/permanent/namespace", "k8s/permanent/volume"))
        self.assertEqual((rest, self.images()), ([], {f"{ours}0.1.0"}))

        upgrade, accept = typed.pop("Upgrade on Kubernetes")
        self.set_tag("0.2.0")
        self.type(upgrade)
        self.assertEqual(self.images(), {f"{ours}0.2.0"})
        self.assertIn("--accept-recreated-topic", self.type(accept.replace(
            "kubectl apply", "kubectl -n coinlake get statefulset stage-raw --output=yaml\nkubectl apply"
        )))

        [back] = typed.pop("Roll back")
        self.type(back)
        self.assertEqual(self.images(), {f"{ours}0.1.0"})

        [scale] = typed.pop("Scale on Kubernetes")
        self.type(scale)
        for stage in ("raw", "clean", "features", "alerts", "predictions"):
            self.type(f"kubectl -n coinlake rollout status statefulset/stage-{stage} --timeout=5m")
        self.assertEqual(self.pods_of_stages(), 15)

        # All of them are on one node, that of the lake's volume.
        node = self.cluster.kubectl("--namespace=coinlake", "get", "pod", "stage-raw-0", "--output=jsonpath={.spec.nodeName}")
        [drain] = typed.pop("Drain a node")
        self.type(drain.replace("NODE", node))
        self.cluster.kubectl("uncordon", node)

        save, restore = typed.pop("Back up and restore on Kubernetes")
        self.done = threading.Event()
        thread = threading.Thread(target=self.snapshots_become_ready)
        thread.start()
        try:
            self.type(save)
        finally:
            self.done.set()
            thread.join()
        saved = self.cluster.names("coinlake", "volumesnapshots")
        self.assertEqual(len(saved), 2, saved)
        self.type(restore)
        self.type("kubectl -n coinlake rollout status statefulset/stage-raw --timeout=5m")

        # The pod of the last upkeep stays listed.
        self.type("kubectl -n coinlake create job --from=cronjob/upkeep upkeep-now")
        self.type("kubectl -n coinlake wait job upkeep-now --for=condition=Complete --timeout=2m")
        [move] = typed.pop("Move the lake")
        self.type(move)
        self.type("kubectl -n coinlake rollout status statefulset/stage-raw --timeout=5m")

        delete, give_up = typed.pop("Uninstall")
        self.assertIn("lake", self.type(delete))
        self.assertEqual(self.pods_of_stages(), 0)
        self.type(give_up)
        self.assertEqual({heading: block for heading, block in typed.items() if block}, {}, "nobody typed these")
