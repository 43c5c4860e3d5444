"""The examples of README.md work as they are written."""

import re
import unittest

import policy
import test_chart
from manifests import K8S, STORE, kustomize, of_kind, yaml


def examples():
    """The YAML blocks of README.md."""
    return re.findall(r"^```yaml\n(.*?)^```$", (K8S / "README.md").read_text(), re.M | re.S)


def example(sign):
    """The one that says this; its paths lead to this checkout."""
    [text] = [text for text in examples() if sign in text]
    return yaml.safe_load(text.replace("../k8s/", "../../k8s/"))


class Readme(unittest.TestCase):
    def test_every_example_is_yaml(self):
        self.assertGreaterEqual(len(examples()), 5)
        for text in examples():
            list(yaml.safe_load_all(text))

    def test_the_overlay_builds_and_keeps_the_rules(self):
        overlay = example("# my-coinlake/kustomization.yaml")
        [image] = overlay["images"]
        image["newName"] = "coinlake"  # by which the rules know ours
        objects = kustomize(overlay)
        self.assertEqual(policy.problems(objects), [])
        data = {item["metadata"]["name"].rpartition("-")[0]: item.get("data") for item in of_kind(objects, "ConfigMap")}
        self.assertEqual(data["lake"], {"url": "s3://my-bucket/lake"})
        self.assertEqual(data["store"], {"AWS_REGION": "eu-west-1"})
        self.assertEqual(data["topics"], {"partitions": "12", "replication": "auto", "retention": "7d"})

    def test_an_autoscaler_has_the_number_of_one_stage_to_itself(self):
        own = example("autoscale.yaml]")
        scaler = example("# autoscale.yaml")
        own["resources"].remove("autoscale.yaml")
        stages = [item for item in of_kind(kustomize(own), "StatefulSet") if item["metadata"]["name"].startswith("stage-")]
        self.assertEqual([i["metadata"]["name"] for i in stages if "replicas" not in i["spec"]], ["stage-features"])
        target = scaler["spec"]["scaleTargetRef"]
        self.assertIn((target["apiVersion"], target["kind"], target["name"]),
                      [(i["apiVersion"], i["kind"], i["metadata"]["name"]) for i in stages])

    def test_a_proxy_is_named_in_two_places(self):
        own = example("name: proxy")
        own["configMapGenerator"] += STORE
        components = ["trainer", "notify", "lake-store", "network/aws", "network/egress-proxy"]
        own |= {"resources": ["../../k8s/base"], "components": [f"../../k8s/components/{name}" for name in components]}
        objects = kustomize(own)
        [proxy] = [i["data"] for i in of_kind(objects, "ConfigMap") if i["metadata"]["name"].startswith("proxy-")]
        self.assertEqual(proxy["HTTPS_PROXY"], "http://10.1.2.3:8080")
        ways = {
            policy["metadata"]["name"]: policy["spec"]["egress"] for policy in of_kind(objects, "NetworkPolicy")
            if "10.1.2.3/32" in str(policy)
        }
        self.assertEqual(ways.keys(), {"internet", "proxy", "public-store", "webhook"})
        for egress in ways.values():
            self.assertEqual(egress, [{
                "to": [{"ipBlock": {"cidr": "10.1.2.3/32"}}], "ports": [{"port": 8080, "protocol": "TCP"}]
            }])

    def test_the_values_are_accepted(self):
        done = test_chart.helm(example("# my-values.yaml"))
        self.assertEqual(done.returncode, 0, done.stderr)
