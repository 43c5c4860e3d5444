"""The Helm chart gives the same objects as Kustomize, and refuses values that mean nothing."""

import copy
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

import policy
from manifests import K8S, PIPELINES, ROOT, containers, of_kind, pod_template, render, title, tool, workloads, yaml

CHART = K8S / "chart"
S3 = {"lake": {"url": "s3://coinlake/lake"}}
NO_TRAINING = {"trainer": {"enabled": False}, "mlflow": {"enabled": False}}
KEY_AND_NOTIFY = {"source": {"key": True}, "notify": {"enabled": True}}
# The values that stand for each overlay.
VALUES = {
    "local": {},
    "s3": S3,
    "local, three pods a stage": {"stages": {"copies": 3}},
    "s3 with every component": S3 | KEY_AND_NOTIFY | {"stages": {"copies": 3}, "monitoring": {"plain": True}},
    "local without trainer and MLflow": NO_TRAINING,
    "aws": S3 | {
        "network": {"store": ["aws"]},
        "image": {"pullSecrets": [{"name": "registry"}]},
        "monitoring": {"operator": True},
    },
    "gcp": S3 | NO_TRAINING | {"network": {"store": ["gcp"]}, "fluvio": {"existingSecret": "fluvio-profile"}},
    "azure": S3 | {"network": {"store": ["azure"]}, "mlflow": {"enabled": False}},
    "openshift": KEY_AND_NOTIFY | {"network": {"openshift": True}},
    "proxy": S3 | {
        "notify": {"enabled": True},
        "mlflow": {"enabled": False},
        "network": {"store": ["aws"], "proxy": {"url": "http://10.0.0.5:3128", "cidr": "10.0.0.5/32"}},
    },
}
# What only one of the two has: an operator of its own makes these Secrets.
ONLY_KUSTOMIZE = {"ExternalSecret lake-writer", "ExternalSecret lake-reader"}
PRUNING = {"argocd.argoproj.io/sync-options", "kustomize.toolkit.fluxcd.io/prune", "helm.sh/resource-policy"}
HELMS_LABELS = {"app.kubernetes.io/managed-by", "app.kubernetes.io/instance", "helm.sh/chart", "app.kubernetes.io/part-of"}


def helm(values, *more, chart=CHART):
    """`helm template`, as it ends."""
    program = tool("helm", "COINLAKE_HELM", "which renders the chart")
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump(values, file)
        file.flush()
        line = [program, "template", "coinlake", chart, "--namespace=coinlake", "--kube-version=1.36.0", f"--values={file.name}"]
        return subprocess.run([*line, *more], capture_output=True, text=True, env=os.environ | {"HELM_NO_PLUGINS": "1"})


def chart(values):
    done = helm(values)
    if done.returncode:
        raise AssertionError(done.stderr)
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def normal(item):
    """An object without what says only who wrote it."""
    item = copy.deepcopy(item)
    metadata = item["metadata"]
    metadata.pop("namespace", None)
    for holder, key, of_the_writer in (
        (metadata, "labels", HELMS_LABELS),
        (metadata, "annotations", PRUNING),
        ((pod_template(item) or {"metadata": {}})["metadata"], "annotations", {"checksum/config"}),
    ):
        kept = {name: value for name, value in (holder.pop(key, None) or {}).items() if name not in of_the_writer}
        if kept:
            holder[key] = kept
    if item["kind"] == "CronJob":
        item["spec"]["jobTemplate"].pop("metadata", None)
    if item["kind"] == "Secret":
        item["data"] = {key: "".join(value.split()) for key, value in item["data"].items()}
    template = pod_template(item)
    if template:
        lists = [template["spec"].get("volumes", [])]
        lists += [part.get(key, []) for part in containers(template) for key in ("env", "volumeMounts")]
        for named in lists:
            named.sort(key=lambda part: part["name"])
    return item


def without_hashes(objects):
    """Kustomize's suffixes taken off the names of what it generated, wherever they are named."""
    text = json.dumps(objects)
    for item in of_kind(objects, "ConfigMap", "Secret"):
        name = item["metadata"]["name"]
        text = text.replace(f'"{name}"', json.dumps(re.sub(r"-[0-9a-z]{10}$", "", name)))
    return json.loads(text)


class Chart(unittest.TestCase):
    maxDiff = None

    def test_it_gives_what_every_overlay_gives(self):
        self.assertEqual(list(VALUES), PIPELINES)
        for name, values in VALUES.items():
            wanted = {title(item): normal(item) for item in without_hashes(render(name)) if title(item) not in ONLY_KUSTOMIZE}
            if values.get("lake", {}).get("url") is None:
                volume = next(item for item in render("permanent") if item["kind"] == "PersistentVolumeClaim")
                wanted[title(volume)] = normal(volume)
            made = {title(item): normal(item) for item in chart(values) if "helm.sh/hook" not in str(item["metadata"])}
            with self.subTest(name):
                self.assertEqual(sorted(made), sorted(wanted))
            for what, item in made.items():
                with self.subTest(f"{name}: {what}"):
                    self.assertEqual(item, wanted.get(what))

    def test_its_own_pods_and_volume_keep_the_rules(self):
        objects = chart({})
        [pod] = of_kind(objects, "Pod")
        [stage] = [item for item in of_kind(objects, "StatefulSet") if item["metadata"]["name"] == "stage-raw"]
        [volume] = of_kind(objects, "PersistentVolumeClaim")
        self.assertEqual(volume["metadata"]["annotations"]["helm.sh/resource-policy"], "keep")
        self.assertEqual(pod["metadata"]["annotations"]["helm.sh/hook"], "test")
        template = {"metadata": pod["metadata"], "spec": pod["spec"]}
        job = {"kind": "CronJob", "metadata": {"name": "health"}, "spec": {"jobTemplate": {"spec": {"template": template}}}}
        rest = [item for item in objects if item not in (pod, volume)]
        self.assertEqual(policy.problems(rest + [job]), [])
        self.assertIn("checksum/config", pod_template(stage)["metadata"]["annotations"])

    def test_a_changed_config_restarts_the_pods(self):
        def sums(values):
            return {pod_template(i)["metadata"]["annotations"]["checksum/config"] for i in of_kind(chart(values), "Deployment")}

        self.assertNotEqual(sums({}), sums({"topics": {"partitions": 12}}))

    def test_the_source_gets_the_history(self):
        shipped = self.config({}, "coingecko-source")
        self.assertNotIn("history", shipped["coingecko"])
        for values in ({"history": "90d"}, {"history": "off"}, {"history": "1d", "key": True}):
            with self.subTest(values):
                config = self.config({"source": values}, "coingecko-source")
                self.assertEqual(config["coingecko"].pop("history"), values["history"])
                self.assertEqual(config, self.config({"source": values | {"history": ""}}, "coingecko-source"))

    def test_a_list_of_rules_goes_to_the_stage_and_to_whoever_tells_of_them(self):
        rules = [
            {"name": "btc-60k", "coins": ["bitcoin"], "when": "price crosses_below 60000", "severity": "critical"},
            {"name": "calm", "when": "abs(return_15m) <= 0.001 and volume_surge > 5", "repeat": "6h"},
        ]
        values = {"alerts": {"rules": rules}, "notify": {"enabled": True}}
        config = self.config(values, "stage-alerts")
        [transform] = config["transforms"]
        self.assertEqual(transform["with"].pop("rules"), rules)
        self.assertEqual(config, self.config({}, "stage-alerts"))
        objects = chart(values)
        [told] = [item for item in of_kind(objects, "ConfigMap") if item["metadata"]["name"] == "alert-rules"]
        self.assertEqual(json.loads(told["data"]["rules.json"]), rules)
        [notify] = [item for item in of_kind(objects, "Deployment") if item["metadata"]["name"] == "notify"]
        [container] = containers(pod_template(notify))
        [argument] = [argument for argument in container["args"] if argument.startswith("--rules=")]
        [volume] = [v["name"] for v in pod_template(notify)["spec"]["volumes"] if v.get("configMap", {}).get("name") == "alert-rules"]
        [folder] = [mount["mountPath"] for mount in container["volumeMounts"] if mount["name"] == volume]
        self.assertEqual(argument, f"--rules={folder}/rules.json")

        # Another list is a rollout of the stage.
        def stage(objects):
            [stage] = [item for item in of_kind(objects, "StatefulSet") if item["metadata"]["name"] == "stage-alerts"]
            return pod_template(stage)["metadata"]["annotations"]["checksum/config"]

        self.assertNotEqual(stage(objects), stage(chart(values | {"alerts": {"rules": rules[:1]}})))

    def test_messages_name_the_currency_of_the_source(self):
        source = self.config({}, "coingecko-source")
        source["coingecko"]["vs_currency"] = "eur"
        config = self.config({"source": {"config": yaml.safe_dump(source)}}, "stage-alerts")
        [transform] = config["transforms"]
        self.assertEqual(transform["with"].pop("currency"), "eur")
        self.assertEqual(config, self.config({}, "stage-alerts"))

    def test_a_source_of_your_own_has_its_own_history(self):
        own = yaml.safe_dump(self.config({}, "coingecko-source"))
        done = helm({"source": {"config": own, "history": "1d"}})
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("source.history", done.stderr)

    def test_a_profile_that_pods_do_not_find_by_its_name_is_refused(self):
        shipped = (K8S / "base/fluvio-profile.toml").read_text()
        self.assertEqual(helm({"fluvio": {"profile": shipped}}).returncode, 0)
        done = helm({"fluvio": {"profile": shipped.replace("[profile.coinlake]", "[profile.cloud]")}})
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("[profile.coinlake]", done.stderr)
        asked = {a for i, t in workloads(chart({})) for c in containers(t) for a in c.get("args", []) if a.startswith("--profile=")}
        self.assertEqual(asked, {"--profile=coinlake"})

    def test_rules_that_find_no_place_in_the_config_of_the_stage_are_no_success(self):
        with tempfile.TemporaryDirectory() as folder:
            copy_of_it = pathlib.Path(folder, "chart")
            shutil.copytree(CHART, copy_of_it)
            file = copy_of_it / "files/connectors/stage-alerts.yaml"
            file.write_text(file.read_text().replace("emit: all", "emit: 'all'"))
            done = helm({"alerts": {"rules": [{"name": "a", "when": "price < 1"}]}}, chart=copy_of_it)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("stage-alerts.yaml", done.stderr)

    def config(self, values, name):
        """A connector's config."""
        [item] = [item for item in of_kind(chart(values), "ConfigMap") if item["metadata"]["name"] == name]
        return yaml.safe_load(item["data"]["connector.yaml"])

    def test_values_that_mean_nothing_are_refused(self):
        for values in (
            {"stage": {"copies": 3}},
            {"stages": {"copies": 0}},
            {"source": {"history": "7d"}},
            {"alerts": {"rules": "price < 1"}},
            {"alerts": {"rules": [{"name": "Upper", "when": "price < 1"}]}},
            {"alerts": {"rules": [{"name": "no-when"}]}},
            {"stages": {"copies": "3"}},
            {"topics": {"partitions": 2.5}},
            {"topics": {"replication": "all"}},
            {"image": {"tag": "latest"}},
            {"lake": {"url": "/data"}},
            {"lake": {"volume": {"size": "50"}}},
            {"network": {"store": ["ibm"]}},
            {"network": {"store": ["aws", "gcp"]}},
            {"network": {"proxy": {"url": "proxy:3128"}}},
            S3 | {"network": {"proxy": {"url": "http://proxy:3128"}}},
        ):
            with self.subTest(values):
                self.assertNotEqual(helm(values).returncode, 0)

    def test_the_schema_knows_every_value(self):
        schema = json.loads((CHART / "values.schema.json").read_text())
        definitions = schema["definitions"]

        def unknown(values, schema, path=""):
            schema = definitions[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
            for key, value in values.items():
                if "properties" not in schema:
                    continue
                if key not in schema["properties"]:
                    yield f"{path}{key}"
                elif isinstance(value, dict):
                    yield from unknown(value, schema["properties"][key], f"{path}{key}.")

        values = yaml.safe_load((CHART / "values.yaml").read_text())
        self.assertEqual(list(unknown(values, schema)), [])
        self.assertEqual(schema["properties"].keys() - {"global"}, values.keys())

    def test_it_is_of_this_version(self):
        version = re.search(r'^version = "(.*)"', (ROOT / "Cargo.toml").read_text(), re.M)[1]
        about = yaml.safe_load((CHART / "Chart.yaml").read_text())
        self.assertEqual((about["version"], about["appVersion"]), (version, version))
