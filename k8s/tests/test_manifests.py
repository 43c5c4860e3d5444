"""Kubernetes understands the rendered manifests, and their references fit together."""

import re
import unittest

import policy
from manifests import OF_OPERATORS, OVERLAYS, PIPELINES, ROOT, containers, kustomize, of_kind, render, skip, title, workloads

# Secrets that an operator creates by hand; each is optional or named by its component.
BY_HAND = {"lake-writer", "lake-reader", "mlflow", "coingecko", "webhook", "fluvio-profile"}


class Manifests(unittest.TestCase):
    def test_every_object_fits_the_schema_of_the_newest_kubernetes(self):
        try:
            import kubernetes_validate
        except ImportError:
            skip("no schemas: pip install kubernetes-validate")
        version = kubernetes_validate.latest_version()
        seen = []
        for name in OVERLAYS:
            for item in render(name):
                if item["apiVersion"].startswith(OF_OPERATORS) or item in seen:
                    continue
                seen.append(item)
                with self.subTest(f"{name}: {title(item)}"):
                    kubernetes_validate.validate(item, version, strict=True)

    def test_everything_lies_in_one_namespace_under_a_name_of_its_own(self):
        for name in OVERLAYS:
            seen = set()
            for item in render(name):
                with self.subTest(f"{name}: {title(item)}"):
                    if item["kind"] != "Namespace":
                        self.assertEqual(item["metadata"].get("namespace"), "coinlake")
                    self.assertNotIn(title(item), seen)
                    seen.add(title(item))

    def test_what_is_referred_to_is_there(self):
        for name in PIPELINES:
            objects = render(name)
            there = {(item["kind"], item["metadata"]["name"]) for item in objects + render("permanent")}
            for item, template in workloads(objects):
                spec = template["spec"]
                wanted = [("ServiceAccount", spec["serviceAccountName"])]
                wanted += [("Service", item["spec"]["serviceName"])] if item["kind"] == "StatefulSet" else []
                volumes = {v["name"]: v for v in spec.get("volumes", [])}
                for volume in volumes.values():
                    wanted += [("ConfigMap", volume["configMap"]["name"])] if "configMap" in volume else []
                    wanted += [("Secret", volume["secret"]["secretName"])] if "secret" in volume else []
                    claim = volume.get("persistentVolumeClaim")
                    wanted += [("PersistentVolumeClaim", claim["claimName"])] if claim else []
                templates = {c["metadata"]["name"] for c in item["spec"].get("volumeClaimTemplates", [])}
                for container in containers(template):
                    for mount in container.get("volumeMounts", []):
                        self.assertIn(mount["name"], volumes.keys() | templates, title(item))
                    for variable in container.get("env", []):
                        source = variable.get("valueFrom", {})
                        if "configMapKeyRef" in source:
                            wanted.append(("ConfigMap", source["configMapKeyRef"]["name"]))
                        if "secretKeyRef" in source:
                            wanted.append(("Secret", source["secretKeyRef"]["name"]))
                    for source in container.get("envFrom", []):
                        if "configMapRef" in source:
                            wanted.append(("ConfigMap", source["configMapRef"]["name"]))
                        if "secretRef" in source:
                            wanted.append(("Secret", source["secretRef"]["name"]))
                    # Kubernetes passes an unknown $(NAME) on unchanged.
                    known = {variable["name"] for variable in container.get("env", [])}
                    for argument in container.get("args", []):
                        self.assertLessEqual(set(re.findall(r"\$\((\w+)\)", argument)), known, title(item))
                missing = {w for w in wanted if w not in there and w[1] not in BY_HAND}
                self.assertEqual(missing, set(), f"{name}: {title(item)}")

    def test_what_holds_data_is_kept_by_tools_that_prune(self):
        kept = render("permanent")
        self.assertEqual(sorted(map(title, kept)), ["Namespace coinlake", "PersistentVolumeClaim lake"])
        for item in kept:
            annotations = item["metadata"]["annotations"]
            self.assertEqual(annotations["argocd.argoproj.io/sync-options"], "Prune=false,Delete=false")
            self.assertEqual(annotations["kustomize.toolkit.fluxcd.io/prune"], "disabled")

    def test_a_setting_of_the_overlay_reaches_every_pod(self):
        """Partition count, registry and namespace are written once."""
        own = {
            "resources": ["../../k8s/overlays/local"],
            "namespace": "market",
            "images": [{"name": "coinlake", "newName": "registry.example/coinlake", "newTag": "0.2.0"}],
            "configMapGenerator": [{"name": "topics", "behavior": "merge", "literals": ["partitions=12"]}],
        }
        objects = kustomize(own)
        self.assertEqual({item["metadata"]["namespace"] for item in objects}, {"market"})
        [topics] = [i for i in of_kind(objects, "ConfigMap") if i["metadata"]["name"].startswith("topics-")]
        self.assertEqual(topics["data"], {"partitions": "12", "replication": "auto", "retention": "7d"})
        for item, template in workloads(objects):
            for container in containers(template):
                if item["metadata"]["name"] != "mlflow":
                    self.assertEqual(container["image"], "registry.example/coinlake:0.2.0")
                for variable in container.get("env", []):
                    if variable["name"] == "PARTITIONS":
                        reference = variable["valueFrom"]["configMapKeyRef"]
                        self.assertEqual(reference, {"name": topics["metadata"]["name"], "key": "partitions"})

    def test_pull_secret_and_vault_serve_every_pod(self):
        for account in of_kind(render("aws"), "ServiceAccount"):
            self.assertEqual(account["imagePullSecrets"], [{"name": "registry"}])
        made = {item["spec"]["target"]["name"] for item in of_kind(render("gcp"), "ExternalSecret")}
        self.assertEqual(made, {"lake-writer", "lake-reader"})
        self.assertEqual(of_kind(render("gcp"), "Secret"), [])

    def test_an_authority_of_ones_own_reaches_every_client(self):
        parts = ["trainer", "notify", "lake-volume", "own-certificates"]
        objects = kustomize({
            "resources": ["../../k8s/base"],
            "components": [f"../../k8s/components/{part}" for part in parts],
            "configMapGenerator": [{"name": "certificates", "literals": ["bundle.crt=x"]}],
        })
        self.assertEqual(policy.problems(objects), [])
        [bundle] = [i["metadata"]["name"] for i in of_kind(objects, "ConfigMap") if i["metadata"]["name"].startswith("certificates-")]
        for item, template in workloads(objects):
            with self.subTest(title(item)):
                self.assertIn({"name": "certificates", "configMap": {"name": bundle}}, template["spec"]["volumes"])
            for container in containers(template):
                if container["name"] not in ("wait-for-deploy", "same-version"):  # they speak to Fluvio only
                    paths = [v["value"] for v in container["env"] if v["name"] == "SSL_CERT_FILE"]
                    mounts = [m["mountPath"] for m in container["volumeMounts"] if m["name"] == "certificates"]
                    self.assertEqual((paths, mounts), (["/etc/certificates/bundle.crt"], ["/etc/certificates"]), title(item))

    def test_services_lead_to_pods(self):
        for name in PIPELINES:
            objects = render(name)
            for service in of_kind(objects, "Service"):
                selector = service["spec"]["selector"].items()
                behind = [t for _, t in workloads(objects) if selector <= t["metadata"]["labels"].items()]
                with self.subTest(f"{name}: {title(service)}"):
                    self.assertEqual(len(behind), 1)
                    ports = {p["name"] for c in behind[0]["spec"]["containers"] for p in c.get("ports", [])}
                    self.assertLessEqual({p["targetPort"] for p in service["spec"]["ports"]}, ports)

    def test_the_image_is_of_this_version(self):
        version = re.search(r'^version = "(.*)"', (ROOT / "Cargo.toml").read_text(), re.M)[1]
        for name in PIPELINES:
            images = {c["image"] for _, t in workloads(render(name)) for c in containers(t)}
            self.assertEqual({i for i in images if i.startswith("coinlake")}, {f"coinlake:{version}"}, name)

    def test_connectors_run_the_configurations_of_fluvio_config(self):
        """All of them, byte for byte, unless an overlay replaces one."""
        shipped = {path.stem: path.read_text() for path in (ROOT / "fluvio-config/connectors").glob("*.yaml")}
        for name in ("local", "s3"):
            objects = render(name)
            maps = {item["metadata"]["name"]: item.get("data", {}) for item in of_kind(objects, "ConfigMap")}
            mounted = {}
            for _, template in workloads(objects):
                for volume in template["spec"].get("volumes", []):
                    data = maps.get(volume.get("configMap", {}).get("name"), {})
                    if "connector.yaml" in data:
                        stem = volume["configMap"]["name"].rpartition("-")[0]
                        mounted[stem] = data["connector.yaml"]
            with self.subTest(name):
                self.assertEqual(mounted, shipped)
