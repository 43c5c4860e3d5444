"""The rendered manifests, as an operator's `kubectl kustomize` renders them."""

import functools
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest



def skip(reason):
    """Skips the test for want of a tool. In CI, which installs all of them, that is an error."""
    if os.environ.get("COINLAKE_K8S_CHECKS") == "required":
        raise AssertionError(f"required but missing: {reason}")
    raise unittest.SkipTest(reason)


try:
    import yaml
except ImportError:
    skip("no PyYAML: pip install kubernetes-validate, which brings it")

K8S = pathlib.Path(__file__).resolve().parent.parent
ROOT = K8S.parent
VERSION = re.search(r'^version = "(.*)"', (ROOT / "Cargo.toml").read_text(), re.M)[1]

# What an overlay brings for a lake in an object store, and for a proxy.
STORE = [
    {"name": "lake", "literals": ["url=s3://coinlake/lake"]},
    {"name": "store", "literals": ["AWS_REGION=eu-central-1"]},
]
PROXY = {"name": "proxy", "literals": ["HTTPS_PROXY=http://10.0.0.5:3128", "NO_PROXY=.svc,.cluster.local,localhost,127.0.0.1"]}
# What an operator applies: name, resources, components, settings.
OVERLAYS = {
    "permanent": {"resources": ["permanent/volume"]},
    "local": {"resources": ["overlays/local"]},
    "s3": {"resources": ["overlays/s3"]},
    "local, three pods a stage": {"resources": ["overlays/local"], "components": ["scale-out"]},
    "s3 with every component": {
        "resources": ["overlays/s3"],
        "components": ["scale-out", "coingecko-key", "notify", "monitoring/plain"],
    },
    "local without trainer and MLflow": {"resources": ["base"], "components": ["lake-volume"]},
    "aws": {
        "resources": ["base"],
        "components": ["trainer", "mlflow", "lake-store", "network/aws", "image-pull-secret", "monitoring/operator"],
        "settings": STORE,
    },
    "gcp": {
        "resources": ["base"],
        "components": ["lake-store", "network/gcp", "external-secrets", "existing-profile"],
        "settings": STORE,
    },
    "azure": {"resources": ["base"], "components": ["trainer", "lake-store", "network/azure"], "settings": STORE},
    "openshift": {"resources": ["overlays/local"], "components": ["coingecko-key", "notify", "openshift"]},
    "proxy": {
        "resources": ["base"],
        "components": ["trainer", "notify", "lake-store", "network/aws", "network/egress-proxy"],
        "settings": [*STORE, PROXY],
    },
}
# Objects of operators, whose schemas Kubernetes does not have.
OF_OPERATORS = ("monitoring.coreos.com/", "external-secrets.io/")
# Those that run the pipeline.
PIPELINES = [name for name in OVERLAYS if name != "permanent"]


def tool(name, variable, because):
    """A program of this machine. If a variable names it, it is required; otherwise its absence skips the test."""
    named = os.environ.get(variable)
    if named:
        return named
    found = shutil.which(name)
    if not found:
        skip(f"no {name} here, {because}")
    return found


@functools.cache
def kubectl():
    """A kubectl with kustomize 5, which knows components and labels."""
    found = tool("kubectl", "COINLAKE_KUBECTL", "which renders the manifests")
    said = subprocess.run([found, "version", "--client", "--output=json"], capture_output=True, text=True).stdout
    version = json.loads(said or "{}").get("kustomizeVersion", "v0")
    if int(version.lstrip("v").split(".")[0]) < 5:
        skip(f"{found} renders as of kustomize {version}; version 5 is needed")
    return found


def kustomize(kustomization):
    """The objects of a kustomization; its paths are relative to a folder two below the project's."""
    with tempfile.TemporaryDirectory(dir=ROOT) as above:
        folder = pathlib.Path(above, "overlay")
        folder.mkdir()
        head = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}
        (folder / "kustomization.yaml").write_text(yaml.safe_dump(head | kustomization))
        built = subprocess.run([kubectl(), "kustomize", folder], capture_output=True, text=True)
    if built.returncode:
        raise AssertionError(f"{kustomization} does not build: {built.stderr}")
    if built.stderr.strip():
        raise AssertionError(f"{kustomization} builds with a warning: {built.stderr}")
    return [document for document in yaml.safe_load_all(built.stdout) if document]


@functools.cache
def render(name, namespace=None):
    """The objects of an overlay, in its own namespace or in another."""
    parts = OVERLAYS[name]
    return kustomize({
        **({"namespace": namespace} if namespace else {}),
        "resources": [f"../../k8s/{path}" for path in parts["resources"]],
        "components": [f"../../k8s/components/{part}" for part in parts.get("components", [])],
        "configMapGenerator": parts.get("settings", []),
    })


def title(item):
    return f"{item['kind']} {item['metadata']['name']}"


def of_kind(objects, *kinds):
    return [item for item in objects if item["kind"] in kinds]


def pod_template(item):
    """The pod template of a workload, None for other objects."""
    spec = item.get("spec", {})
    if item["kind"] == "CronJob":
        spec = spec["jobTemplate"]["spec"]
    if item["kind"] in ("Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob"):
        return spec["template"]
    return None


def workloads(objects):
    """Each object that runs pods, with its pod template."""
    for item in objects:
        template = pod_template(item)
        if template:
            yield item, template


def containers(template):
    return template["spec"].get("initContainers", []) + template["spec"]["containers"]


def selects(selector, labels):
    """Whether a Kubernetes label selector matches these labels."""
    if selector is None:
        return False
    for key, value in selector.get("matchLabels", {}).items():
        if labels.get(key) != value:
            return False
    for rule in selector.get("matchExpressions", []):
        value, operator = labels.get(rule["key"]), rule["operator"]
        fits = {
            "Exists": value is not None,
            "DoesNotExist": value is None,
            "In": value in rule.get("values", []),
            "NotIn": value not in rule.get("values", []),
        }[operator]
        if not fits:
            return False
    return True
