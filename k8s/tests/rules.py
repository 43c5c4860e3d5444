"""components/monitoring/operator/rules.yaml: the rules of monitoring/ for the Prometheus Operator. Run, it writes the file."""

import pathlib

K8S = pathlib.Path(__file__).resolve().parent.parent
RULES = K8S / "components/monitoring/operator/rules.yaml"


def written():
    """The rule files, each inside a PrometheusRule."""
    objects = []
    for name, file in (("coinlake", "prometheus-rules.yaml"), ("coinlake-kubernetes", "kubernetes-rules.yaml")):
        lines = (K8S / "monitoring" / file).read_text().splitlines()
        groups = lines[lines.index("groups:"):]
        head = ["apiVersion: monitoring.coreos.com/v1", "kind: PrometheusRule", f"metadata: {{ name: {name} }}", "spec:"]
        objects.append("\n".join(head + [f"  {line}" if line else "" for line in groups]))
    note = "# Written by `python3 k8s/tests/rules.py` from k8s/monitoring, where the rules are changed and tested."
    return note + "\n" + "\n---\n".join(objects) + "\n"


if __name__ == "__main__":
    RULES.write_text(written())
