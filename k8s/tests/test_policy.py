"""The rendered manifests keep the security rules, and the rules notice violations."""

import copy
import unittest

import policy
from manifests import OVERLAYS, PROXY, STORE, kustomize, of_kind, pod_template, render
from test_chart import VALUES, chart


class Policy(unittest.TestCase):
    def test_every_overlay_keeps_every_rule(self):
        for name in OVERLAYS:
            with self.subTest(name):
                self.assertEqual(policy.problems(render(name)), [])

    def test_each_setting_is_missed_when_it_is_gone(self):
        """Each setting is removed or reversed once; exactly that must be noticed."""
        def stage(objects):
            return next(i for i in of_kind(objects, "StatefulSet") if i["metadata"]["name"] == "stage-clean")

        def source(objects):
            return next(i for i in of_kind(objects, "Deployment") if i["metadata"]["name"] == "source")

        def console(objects):
            return next(i for i in of_kind(objects, "Deployment") if i["metadata"]["name"] == "console")

        def pod(item):
            return pod_template(item)["spec"]

        def volume(item, name):
            return next(v for v in pod(item)["volumes"] if v["name"] == name)

        def container(item):
            return pod(item)["containers"][0]

        def without(kind, name):
            return lambda o: o.remove(next(i for i in of_kind(o, kind) if i["metadata"]["name"] == name))

        def job():
            spec = {"template": {"metadata": {"labels": {}}, "spec": {"containers": []}}}
            return {"kind": "Job", "metadata": {"name": "deploy"}, "spec": spec}

        changes = {
            "mounts a service-account token": lambda o: pod(source(o)).pop("automountServiceAccountToken"),
            "or misses it": lambda o: pod(stage(o)).update(automountServiceAccountToken=False),
            "allows more than Leases": lambda o: of_kind(o, "Role")[0]["rules"][1]["verbs"].append("delete"),
            "may run as root": lambda o: pod(stage(o))["securityContext"].pop("runAsNonRoot"),
            "no seccomp profile": lambda o: pod(stage(o))["securityContext"].pop("seccompProfile"),
            "can write to its root": lambda o: container(stage(o))["securityContext"].pop("readOnlyRootFilesystem"),
            "can gain privileges": lambda o: container(stage(o))["securityContext"].update(privileged=True),
            "keeps capabilities": lambda o: container(stage(o))["securityContext"]["capabilities"].update(add=["SYS_ADMIN"]),
            "variable for every service": lambda o: pod(stage(o)).pop("enableServiceLinks"),
            "of kind {'hostPath'}": lambda o: pod(stage(o))["volumes"].append({"name": "x", "hostPath": {"path": "/"}}),
            "may keep others from writing": lambda o: volume(console(o), "lake")["persistentVolumeClaim"].update(readOnly=True),
            "no limits of memory": lambda o: container(stage(o))["resources"]["limits"].pop("memory"),
            "without a version": lambda o: container(stage(o)).update(image="coinlake:latest"),
            "has no readinessProbe": lambda o: container(stage(o)).pop("readinessProbe"),
            "not at /healthz and /readyz": lambda o: container(stage(o))["readinessProbe"]["httpGet"].update(path="/healthz"),
            "killed before it has committed": lambda o: pod(stage(o)).update(terminationGracePeriodSeconds=10),
            "is not scraped": lambda o: pod_template(stage(o))["metadata"].pop("annotations"),
            "has 0 disruption budgets": without("PodDisruptionBudget", "stage-clean"),
            "blocks a drain while": lambda o: of_kind(o, "PodDisruptionBudget")[0]["spec"].pop("unhealthyPodEvictionPolicy"),
            "may block a drain": lambda o: of_kind(o, "PodDisruptionBudget")[0]["spec"].update(maxUnavailable=0),
            "stage-raw may block a drain": lambda o: next(
                b for b in of_kind(o, "PodDisruptionBudget") if b["metadata"]["name"] == "stage-raw"
            )["spec"].update(maxUnavailable=1),
            "no policy denies everything": without("NetworkPolicy", "default-deny"),
            "stage-clean reaches the internet":
                lambda o: pod_template(stage(o))["metadata"]["labels"].update({"app.kubernetes.io/name": "source"}),
            "does not reach the internet": without("NetworkPolicy", "internet"),
            "whether it reaches Fluvio": without("NetworkPolicy", "fluvio"),
            "whether it takes Leases": without("NetworkPolicy", "kubernetes-api"),
            "may run twice at once": lambda o: source(o)["spec"].update(strategy={"type": "RollingUpdate"}),
            "counts as failed before the past": lambda o: source(o)["spec"].pop("progressDeadlineSeconds"),
            "workloads run coingecko-source": lambda o: o.append(copy.deepcopy(source(o))),
            "no StatefulSet": lambda o: stage(o).update(kind="Deployment"),
            "has every partition in every pod": lambda o: container(stage(o))["args"].remove("--pod=$(POD_NAME)"),
            "is a second stage": lambda o: o.append(copy.deepcopy(stage(o))),
            "cannot be changed in place": lambda o: o.append(job()),
            "does not wait for a cluster": lambda o: pod(stage(o))["initContainers"].pop(0),
            "with the SmartModules of another": lambda o: pod(stage(o))["initContainers"].pop(1),
            "compares with another image": lambda o: pod(stage(o))["initContainers"][1].update(image="coinlake:0.0.9"),
            "deploy, not one pod": lambda o: pod(source(o)).pop("initContainers"),
            "the partition count is given as": lambda o: pod(stage(o))["initContainers"][1].update(args=[]),
            "is deleted with the rest": lambda o: o.extend(render("permanent")),
            "the volumes of StatefulSet": lambda o: stage(o)["spec"].update(
                persistentVolumeClaimRetentionPolicy={"whenDeleted": "Delete"}
            ),
            "is a second writer of": lambda o: o.append(copy.deepcopy(stage(o))),
        }
        self.each_is_missed("local", changes)

    def test_a_private_store_behind_a_proxy_is_reached(self):
        components = ["trainer", "lake-store", "network/private-store", "network/egress-proxy"]
        private = {
            "resources": ["../../k8s/base"], "components": [f"../../k8s/components/{name}" for name in components],
            "configMapGenerator": [*STORE, PROXY],
        }
        values = copy.deepcopy(VALUES["proxy"])
        values["network"]["store"] = ["private"]
        for objects in (kustomize(private), chart(values)):
            self.assertEqual(policy.problems(objects), [])

    def test_on_openshift_and_behind_a_proxy(self):
        """What holds only there is missed there, and what only those may have is refused elsewhere."""
        def any_pod(objects):
            return pod_template(of_kind(objects, "StatefulSet")[0])["spec"]

        def proxy_variable(objects):
            return next(v for v in any_pod(objects)["containers"][0]["env"] if v["name"] == "HTTPS_PROXY")

        def policies(objects, name):
            return [p for p in of_kind(objects, "NetworkPolicy") if p["metadata"]["name"] == name]

        def anywhere(policy):
            policy["spec"]["egress"][0]["to"] = [{"ipBlock": {"cidr": "8.8.8.8/32"}}]

        self.each_is_missed("openshift", {
            "outside the range of its namespace": lambda o: any_pod(o)["securityContext"].update(runAsUser=65532),
            "may run as root": lambda o: policies(o, "dns")[0]["spec"]["egress"].pop(),
        })
        self.each_is_missed("proxy", {
            "reaches the internet": lambda o: anywhere(policies(o, "public-store")[0]),
            "is not told of it": lambda o: any_pod(o)["containers"][0]["env"].remove(proxy_variable(o)),
            "set and not reachable":
                lambda o: [o.remove(p) for n in ("internet", "public-store", "webhook", "proxy") for p in policies(o, n)],
            "is told of the proxy and does not reach it": lambda o: [o.remove(p) for p in policies(o, "webhook")],
        })
        self.each_is_missed("aws", {"does not reach the internet": lambda o: policies(o, "public-store")[0].update(
            spec={"podSelector": {}, "policyTypes": ["Egress"]}
        )})

    def each_is_missed(self, name, changes):
        for said, change in changes.items():
            with self.subTest(said):
                objects = copy.deepcopy(render(name))
                change(objects)
                found = policy.problems(objects)
                self.assertTrue(any(said in problem for problem in found), found)
