"""Grafana understands the dashboard: its own library reads and returns all of it."""

import json
import unittest

from manifests import K8S, skip

DASHBOARD = K8S / "monitoring/grafana-dashboard.json"


def lost(given, kept, path=""):
    """What is in `given` and not in `kept`: Grafana's types drop what they do not know."""
    if isinstance(given, dict) and isinstance(kept, dict):
        for key, value in given.items():
            if key in kept:
                yield from lost(value, kept[key], f"{path}/{key}")
            else:
                yield f"{path}/{key}"
    elif isinstance(given, list) and isinstance(kept, list) and len(given) == len(kept):
        for nth, pair in enumerate(zip(given, kept)):
            yield from lost(*pair, f"{path}/{nth}")
    elif given != kept:
        yield path


class Dashboard(unittest.TestCase):
    def setUp(self):
        try:
            from grafana_foundation_sdk.cog import plugins
            from grafana_foundation_sdk.cog.encoder import JSONEncoder
            from grafana_foundation_sdk.models import dashboard
        except ImportError:
            skip("no types of Grafana: pip install grafana-foundation-sdk")
        plugins.register_default_plugins()
        self.there_and_back = lambda given: json.loads(JSONEncoder().encode(dashboard.Dashboard.from_json(given)))
        self.dashboard = json.loads(DASHBOARD.read_text())

    def test_grafana_knows_every_field(self):
        self.assertGreater(len(self.dashboard["panels"]), 30)
        self.assertEqual(list(lost(self.dashboard, self.there_and_back(self.dashboard))), [])

    def test_a_field_that_grafana_does_not_know_would_be_seen(self):
        panel = next(nth for nth, panel in enumerate(self.dashboard["panels"]) if panel["type"] == "timeseries")
        self.dashboard["panels"][panel]["targets"][0]["legendFromat"] = "{{stage}}"
        self.dashboard["panels"][panel]["fieldConfig"]["defaults"]["unti"] = "s"
        found = list(lost(self.dashboard, self.there_and_back(self.dashboard)))
        self.assertEqual(
            found, [f"/panels/{panel}/targets/0/legendFromat", f"/panels/{panel}/fieldConfig/defaults/unti"]
        )
