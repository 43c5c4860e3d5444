"""Rules for every applied object: each rule yields a sentence for each violation."""

import ipaddress
import itertools

from manifests import containers, of_kind, selects, title, workloads, yaml

# Everything outside these is the internet.
PRIVATE = [
    ipaddress.ip_network(net)
    for net in ("10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
]
# What reaches the internet: the source, and the notifier if it is used. With components/network/public-store also what uses the lake.
REACH_THE_INTERNET = {"source", "notify"}


# What a stage may do: ask how many pods it has, and share its partitions by Leases.
LEASES = [
    {"apiGroups": ["apps"], "resources": ["statefulsets/scale"], "verbs": ["get"]},
    {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["get", "create", "update"]},
]


def problems(objects):
    """All violations, a sentence each."""
    rules = (
        identity, isolation, resources, probes, scraping, disruption, network, proxy, single_source, partitions, upgrade,
        permanence,
    )
    return [problem for rule in rules for problem in rule(objects)]


def identity(objects):
    """No pod runs as root, and only those that take Leases get a token of the Kubernetes API, for these and nothing else."""
    accounts = {item["metadata"]["name"]: item for item in of_kind(objects, "ServiceAccount")}
    openshift = on_openshift(objects)
    for name, account in accounts.items():
        if account.get("automountServiceAccountToken") is not False:
            yield f"service account {name} mounts its token"
    for role in of_kind(objects, "Role", "ClusterRole"):
        if role["kind"] != "Role" or role["rules"] != LEASES:
            yield f"{title(role)} allows more than Leases"
    for item, template in workloads(objects):
        spec, name = template["spec"], title(item)
        if spec.get("automountServiceAccountToken") is not takes_leases(template):
            yield f"{name} mounts a service-account token, or misses it"
        if spec.get("serviceAccountName") not in accounts:
            yield f"{name} has no service account of its own"
        context = spec.get("securityContext", {})
        if context.get("runAsNonRoot") is not True or (not openshift and not context.get("runAsUser", 0) > 0):
            yield f"{name} may run as root"
        if openshift and context.keys() & {"runAsUser", "runAsGroup", "fsGroup"}:
            yield f"{name} asks for a user outside the range of its namespace"
        for container in containers(template):
            own = container.get("securityContext", {})
            if own.get("runAsUser", 1) == 0 or own.get("runAsNonRoot") is False:
                yield f"{name}/{container['name']} runs as root"


def isolation(objects):
    """A container can only change its volumes, and sees nothing of its node."""
    for namespace in of_kind(objects, "Namespace"):
        if namespace["metadata"]["labels"].get("pod-security.kubernetes.io/enforce") != "restricted":
            yield f"{title(namespace)} does not enforce the restricted pod security standard"
    for item, template in workloads(objects):
        spec, name = template["spec"], title(item)
        if spec.get("securityContext", {}).get("seccompProfile") != {"type": "RuntimeDefault"}:
            yield f"{name} has no seccomp profile RuntimeDefault"
        for key in ("hostNetwork", "hostPID", "hostIPC"):
            if spec.get(key):
                yield f"{name} shares its node's {key}"
        if spec.get("enableServiceLinks") is not False:
            yield f"{name} gets an environment variable for every service"
        for volume in spec.get("volumes", []):
            kinds = set(volume) - {"name"}
            if not kinds <= {"configMap", "secret", "emptyDir", "persistentVolumeClaim"}:
                yield f"{name} has a volume {volume['name']} of kind {kinds}"
            if volume.get("persistentVolumeClaim", {}).get("readOnly"):
                yield f"{name} may keep others from writing to the volume {volume['name']}"
        for container in containers(template):
            own, where = container.get("securityContext", {}), f"{name}/{container['name']}"
            if own.get("readOnlyRootFilesystem") is not True:
                yield f"{where} can write to its root file system"
            if own.get("allowPrivilegeEscalation") is not False or own.get("privileged"):
                yield f"{where} can gain privileges"
            capabilities = own.get("capabilities", {})
            if capabilities.get("drop") != ["ALL"] or capabilities.get("add"):
                yield f"{where} keeps capabilities"
            if own.get("seccompProfile", {"type": "RuntimeDefault"}) != {"type": "RuntimeDefault"}:
                yield f"{where} has a seccomp profile of its own"


def resources(objects):
    """Every container has requests and limits; every image has a version."""
    for item, template in workloads(objects):
        for container in containers(template):
            where = f"{title(item)}/{container['name']}"
            asked = container.get("resources", {})
            for kind, key in itertools.product(("requests", "limits"), ("cpu", "memory")):
                if not asked.get(kind, {}).get(key):
                    yield f"{where} has no {kind} of {key}"
            _, _, tag = container["image"].rpartition("/")[2].partition(":")
            if tag in ("", "latest"):
                yield f"{where} runs an image without a version: {container['image']}"


def probes(objects):
    """Long-running containers have liveness and readiness probes, at ports that exist."""
    for item, template in workloads(objects):
        if item["kind"] in ("Job", "CronJob"):
            continue
        for container in template["spec"]["containers"]:
            where = f"{title(item)}/{container['name']}"
            ports = {port["name"]: port["containerPort"] for port in container.get("ports", [])}
            for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
                get = container.get(kind, {}).get("httpGet")
                if not get:
                    yield f"{where} has no {kind}"
                elif get["port"] not in ports:
                    yield f"{where}: {kind} asks at {get['port']}, which is none of its ports"
            if ours(container):
                paths = [container[kind]["httpGet"]["path"] for kind in ("livenessProbe", "readinessProbe")
                         if "httpGet" in container.get(kind, {})]
                if paths != ["/healthz", "/readyz"]:
                    yield f"{where} is asked at {paths}, not at /healthz and /readyz"
        if template["spec"].get("terminationGracePeriodSeconds") is None:
            yield f"{title(item)} does not say how long it may take to end"
        if runs(template, "parquet-sink") and template["spec"].get("terminationGracePeriodSeconds", 0) < 60:
            yield f"{title(item)} may be killed before it has committed"


def scraping(objects):
    """Prometheus finds each of our processes at the port where it listens."""
    for item, template in workloads(objects):
        for container in template["spec"]["containers"]:
            listen = [a.rpartition(":")[2] for a in arguments(container) if a.startswith("--metrics-listen=")]
            if item["kind"] in ("Job", "CronJob") or not ours(container):
                continue
            where = f"{title(item)}/{container['name']}"
            annotations = template["metadata"].get("annotations", {})
            ports = [str(port["containerPort"]) for port in container["ports"] if port["name"] == "metrics"]
            if annotations.get("prometheus.io/scrape") != "true" or not listen:
                yield f"{where} is not scraped"
            elif not listen == ports == [annotations.get("prometheus.io/port")]:
                yield f"{where} serves metrics at {listen}, names {ports}, and is scraped elsewhere"


def disruption(objects):
    """Every workload has one disruption budget, which never blocks draining a node."""
    budgets = of_kind(objects, "PodDisruptionBudget")
    for item, template in workloads(objects):
        if item["kind"] in ("Job", "CronJob"):
            continue
        labels = template["metadata"]["labels"]
        own = [b for b in budgets if selects(b["spec"]["selector"], labels)]
        if len(own) != 1:
            yield f"{title(item)} has {len(own)} disruption budgets"
        for budget in own:
            # Pods that must be on one node leave it together; of several, the successor of the first would wait for the others.
            together = "affinity" in template["spec"] and item["kind"] == "StatefulSet"
            if budget["spec"].get("maxUnavailable") != ("100%" if together else 1):
                yield f"{title(budget)} may block a drain, or let more than one pod go at once"
            if budget["spec"].get("unhealthyPodEvictionPolicy") != "AlwaysAllow":
                yield f"{title(budget)} blocks a drain while a pod is not ready"


def on_openshift(objects):
    """Whether the DNS of OpenShift is allowed: then it gives the user, elsewhere the manifests do."""
    [dns] = [p for p in of_kind(objects, "NetworkPolicy") if p["metadata"]["name"] == "dns"] or [None]
    return dns is not None and "openshift-dns" in str(dns)


def behind_a_proxy(objects):
    return any(item["metadata"]["name"].partition("-")[0] == "proxy" for item in of_kind(objects, "ConfigMap"))


def is_public(peer):
    """Whether an `ipBlock` reaches an address outside the private ranges."""
    block = ipaddress.ip_network(peer["ipBlock"]["cidr"])
    return not any(block.version == net.version and block.subnet_of(net) for net in PRIVATE)


def network(objects):
    """All traffic is denied unless it is named; only the source reaches the internet, and no private address that way."""
    policies = of_kind(objects, "NetworkPolicy")
    runs_pods = list(workloads(objects))
    public_store = any(p["metadata"]["name"] == "public-store" for p in policies)
    deny = [
        p for p in policies
        if p["spec"]["podSelector"] == {} and set(p["spec"]["policyTypes"]) == {"Ingress", "Egress"}
        and not p["spec"].get("ingress") and not p["spec"].get("egress")
    ]
    if runs_pods and not deny:
        yield "no policy denies everything"
    for policy in policies:
        for rule in policy["spec"].get("egress", []) + policy["spec"].get("ingress", []):
            peers = rule.get("to", []) + rule.get("from", [])
            if not peers or not rule.get("ports"):
                yield f"{title(policy)} allows every peer or every port"
            for peer in peers:
                if peer in ({}, {"namespaceSelector": {}}):
                    yield f"{title(policy)} allows every pod of every namespace"
                if "ipBlock" in peer and is_public(peer):
                    cidr = ipaddress.ip_network(peer["ipBlock"]["cidr"])
                    excepted = {ipaddress.ip_network(net) for net in peer["ipBlock"].get("except", [])}
                    inside = [n for n in PRIVATE if n.version == cidr.version and n.overlaps(cidr)]
                    for left in set(inside) - excepted:
                        yield f"{title(policy)} reaches {left} on the way to the internet"
    for item, template in runs_pods:
        labels, name = template["metadata"]["labels"], item["metadata"]["name"]
        out = [
            peer for p in policies if selects(p["spec"]["podSelector"], labels)
            for rule in p["spec"].get("egress", []) for peer in rule.get("to", [])
        ]
        public = any("ipBlock" in peer and is_public(peer) for peer in out)
        may = name in REACH_THE_INTERNET or (public_store and "coinlake.io/lake" in labels)
        if public and (not may or behind_a_proxy(objects)):
            yield f"{title(item)} reaches the internet"
        if may and not public and not behind_a_proxy(objects):
            yield f"{title(item)} does not reach the internet"
        uses_fluvio = any(v["name"] == "FLV_PROFILE_PATH" for c in containers(template) for v in c.get("env", []))
        reaches_fluvio = any(selects(peer.get("podSelector"), {"app": "fluvio-sc"}) for peer in out)
        if uses_fluvio != reaches_fluvio:
            yield f"{title(item)}: whether it reaches Fluvio and whether it uses it differ"
        ports = {
            port["port"] for p in policies if selects(p["spec"]["podSelector"], labels)
            for rule in p["spec"].get("egress", []) for port in rule.get("ports", [])
        }
        if takes_leases(template) != (6443 in ports):
            yield f"{title(item)}: whether it takes Leases and whether it reaches the API server differ"
        asks_mlflow = any(
            e.get("configMapRef", {}).get("name", "").startswith("mlflow") for c in containers(template)
            for e in c.get("envFrom", [])
        )
        if asks_mlflow != (labels.get("coinlake.io/mlflow") == "client"):
            yield f"{title(item)}: whether it may ask MLflow and whether it is told where differ"


def proxy(objects):
    """Behind a proxy, what may reach it is told where it is, and what is told may reach it."""
    policies = [
        p for p in of_kind(objects, "NetworkPolicy")
        if any(port.get("port") == 3128 for rule in p["spec"].get("egress", []) for port in rule["ports"])
    ]
    if behind_a_proxy(objects) != bool(policies):
        yield "a proxy is set and not reachable, or reachable and not set"
    for item, template in workloads(objects):
        reaches = any(selects(p["spec"]["podSelector"], template["metadata"]["labels"]) for p in policies)
        told = any(v["name"] == "HTTPS_PROXY" for c in containers(template) for v in c.get("env", []))
        if reaches and not told:
            yield f"{title(item)} reaches the proxy and is not told of it"
        if told and not reaches:
            yield f"{title(item)} is told of the proxy and does not reach it"


def single_source(objects):
    """Never two sources at once."""
    sources = [(item, t) for item, t in workloads(objects) if runs(t, "coingecko-source")]
    if len(sources) > 1:
        yield f"{len(sources)} workloads run coingecko-source"
    for item, _ in sources:
        spec = item["spec"]
        if item["kind"] != "Deployment" or spec.get("replicas") != 1 or spec.get("strategy") != {"type": "Recreate"}:
            yield f"{title(item)} may run twice at once"
        if spec.get("progressDeadlineSeconds", 600) < 3600:
            yield f"{title(item)} counts as failed before the past of 250 coins is filled in"


def partitions(objects):
    """No two pods have the same partition of the same stage, and no partition is left out."""
    configs = {item["metadata"]["name"]: item.get("data", {}) for item in of_kind(objects, "ConfigMap")}
    names, outputs = set(), set()
    for item, template in workloads(objects):
        if not runs(template, "parquet-sink"):
            continue
        where = title(item)
        if item["kind"] != "StatefulSet":
            yield f"{where} is a stage and no StatefulSet: two of its pods may overlap"
            continue
        [container] = template["spec"]["containers"]
        environment = {v["name"]: v for v in container["env"]}
        name = environment.get("POD_NAME", {}).get("valueFrom", {}).get("fieldRef", {}).get("fieldPath")
        if not takes_leases(template):
            yield f"{where} has every partition in every pod"
        if name != "metadata.name":
            yield f"{where} takes its share from {name}"
        if item["spec"].get("ordinals", {}).get("start", 0) != 0:
            yield f"{where} does not count its pods from 0"
        [volume] = [v["configMap"]["name"] for v in template["spec"]["volumes"] if v["name"] == "config"]
        config = yaml.safe_load(configs[volume]["connector.yaml"])
        name = config["meta"]["name"]
        if name in names:
            yield f"{where} is a second stage {name}"
        names.add(name)
        for destination in config["parquet"]["destinations"]:
            made = {("topic", destination.get("topic")), ("layer", destination.get("layer", {}).get("name"))}
            for kind, what in made - {("topic", None), ("layer", None)}:
                if (kind, what) in outputs:
                    yield f"{where} is a second writer of {kind} {what}"
                outputs.add((kind, what))


def upgrade(objects):
    """A new image is applied in place, brings its SmartModules first, and no stage of it runs with older ones."""
    for job in of_kind(objects, "Job"):
        yield f"{title(job)} cannot be changed in place"
    deployers, counts = [], set()
    for item, template in workloads(objects):
        first = {c["name"]: c for c in template["spec"].get("initContainers", [])}
        for container in containers(template):
            words = arguments(container)
            if words[:2] != ["coinlake", "deploy"]:
                continue
            if "--yes" in words:
                deployers.append(item)
            if "--wait" not in words:
                counts |= {word for word in words if word.startswith("--partitions")} or {None}
        if runs(template, "parquet-sink"):
            if [arguments(c)[1:3] for c in first.values()][:1] != [["deploy", "--wait"]]:
                yield f"{title(item)} does not wait for a cluster that nothing is on yet"
            check = arguments(first.get("same-version", {}))
            if check[:2] != ["coinlake", "deploy"] or "--yes" in check or "--wait" in check:
                yield f"{title(item)} may run with the SmartModules of another version"
            images = {c["image"] for c in containers(template)}
            if len(images) != 1:
                yield f"{title(item)} compares with another image than it runs: {sorted(images)}"
    if any(runs(t, "parquet-sink") for _, t in workloads(objects)):
        if len(deployers) != 1 or deployers[0]["spec"].get("strategy") != {"type": "Recreate"}:
            yield f"{[title(item) for item in deployers]} deploy, not one pod at a time"
        if counts != {"--partitions=$(PARTITIONS)"}:
            yield f"the partition count is given as {counts}"


def permanence(objects):
    """What is deleted to uninstall holds no data: namespace and volumes are applied apart, and volumes outlive their StatefulSet."""
    if not any(workloads(objects)):
        return
    for item in of_kind(objects, "Namespace", "PersistentVolumeClaim"):
        yield f"{title(item)} is deleted with the rest"
    for item in of_kind(objects, "StatefulSet"):
        if "Delete" in item["spec"].get("persistentVolumeClaimRetentionPolicy", {}).values():
            yield f"the volumes of {title(item)} are deleted with it"


def ours(container):
    return container["image"].startswith("coinlake:")


def arguments(container):
    return container.get("command", []) + container.get("args", [])


def takes_leases(template):
    return any("--pod=$(POD_NAME)" in arguments(c) for c in template["spec"]["containers"])


def runs(template, binary):
    return any(c.get("command", [None])[0] == binary for c in template["spec"]["containers"])
