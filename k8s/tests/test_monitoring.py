"""Prometheus, with its operator or without, finds every process; every alert is tested and has an entry in the runbook."""

import re
import subprocess
import unittest

import rules
from manifests import K8S, PIPELINES, ROOT, of_kind, render, selects, tool, workloads, yaml

RULE_FILES = ("prometheus-rules", "kubernetes-rules")


def alerts(name):
    groups = yaml.safe_load((K8S / f"monitoring/{name}.yaml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


class Monitoring(unittest.TestCase):
    def test_every_alert_has_an_entry_in_the_runbook(self):
        headings = re.findall(r"^#+ (Coinlake\w+)$", (ROOT / "docs/operations.md").read_text(), re.M)
        named = [rule["alert"] for name in RULE_FILES for rule in alerts(name)]
        self.assertEqual(sorted(headings), sorted(named))
        for name in RULE_FILES:
            for rule in alerts(name):
                self.assertEqual(rule["annotations"]["runbook"], f"docs/operations.md#{rule['alert'].lower()}")

    def test_every_metric_of_the_rules_is_documented(self):
        page = (ROOT / "docs/metrics.md").read_text()
        asked = " ".join(rule["expr"] for rule in alerts("prometheus-rules"))
        names = set(re.findall(r"\b(?:coingecko_source|parquet_sink|coinlake)_\w+", asked))
        self.assertEqual({name for name in names if f"`{name}`" not in page}, set())

    def test_every_alert_fires_in_a_test_and_keeps_silent_before(self):
        promtool = tool("promtool", "COINLAKE_PROMTOOL", "which tests the alert rules: apt-get install prometheus")
        for name in RULE_FILES:
            folder = K8S / "monitoring"
            for line in (["check", "rules", f"{name}.yaml"], ["test", "rules", f"{name}.test.yaml"]):
                done = subprocess.run([promtool, *line], cwd=folder, capture_output=True, text=True)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            tests = yaml.safe_load((folder / f"{name}.test.yaml").read_text())["tests"]
            checks = [check for test in tests for check in test["alert_rule_test"]]
            for rule in alerts(name):
                seen = {bool(check["exp_alerts"]) for check in checks if check["alertname"] == rule["alert"]}
                self.assertEqual(seen, {True, False}, rule["alert"])

    def test_the_operator_gets_the_same_rules(self):
        self.assertEqual(rules.RULES.read_text(), rules.written(), "write it: python3 k8s/tests/rules.py")
        made = [r for item in of_kind(render("aws"), "PrometheusRule") for g in item["spec"]["groups"] for r in g["rules"]]
        self.assertEqual(made, alerts("prometheus-rules") + alerts("kubernetes-rules"))

    def test_the_pod_monitor_finds_each_process_under_the_job_of_the_rules(self):
        objects = render("aws")
        [monitor] = of_kind(objects, "PodMonitor")
        [endpoint] = monitor["spec"]["podMetricsEndpoints"]
        for item, template in workloads(objects):
            ports = {port["name"] for c in template["spec"]["containers"] for port in c.get("ports", [])}
            if endpoint["port"] in ports:
                labels = template["metadata"]["labels"]
                self.assertTrue(selects(monitor["spec"]["selector"], labels), item["metadata"]["name"])
                self.assertEqual(labels[monitor["spec"]["jobLabel"]], "coinlake")

    def test_the_scrape_job_keeps_each_process_in_any_namespace(self):
        [job] = yaml.safe_load((K8S / "monitoring/prometheus-scrape.yaml").read_text())["scrape_configs"]
        self.assertEqual(job["kubernetes_sd_configs"], [{"role": "pod"}])
        keep = {r["source_labels"][0]: r["regex"] for r in job["relabel_configs"] if r.get("action") == "keep"}
        self.assertEqual(keep["__meta_kubernetes_pod_container_port_name"], "metrics")
        self.assertEqual(keep["__meta_kubernetes_pod_phase"], "Running", "a pod that was evicted stays listed")
        self.assertEqual(keep["__meta_kubernetes_pod_label_app_kubernetes_io_part_of"], "coinlake")

    def test_no_namespace_is_written_into_what_admits_prometheus(self):
        for name in PIPELINES:
            for policy in of_kind(render(name), "NetworkPolicy"):
                if policy["metadata"]["name"] == "metrics":
                    [[peer]] = [rule["from"] for rule in policy["spec"]["ingress"]]
                    self.assertEqual(peer, {"namespaceSelector": {"matchLabels": {"coinlake.io/metrics": "reader"}}})
