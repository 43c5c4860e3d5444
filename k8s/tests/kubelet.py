"""Nodes and the state of pods, as the test sets them: no container runs, as with kwok."""

import sys
import threading

NODES = ("node-0", "node-1")


class Kubelet(threading.Thread):
    """Runs every pod that is scheduled: it becomes ready, a Job's pod succeeds, and one that is deleted goes."""

    def __init__(self, cluster, cleanup):
        super().__init__(daemon=True)
        self.cluster, self.ended = cluster, threading.Event()
        # What fails a pod's readiness: a function of a pod.
        self.is_sick = lambda pod: False
        for name in NODES:
            node(cluster, name)
        cluster.wait_until("the nodes take pods", lambda: not any(
            node["spec"].get("taints") for node in cluster.ask("GET", "/api/v1/nodes")["items"]
        ))
        self.start()
        cleanup(self.join)
        cleanup(self.ended.set)

    def run(self):
        while not self.ended.wait(0.2):
            try:
                for pod in self.cluster.ask("GET", "/api/v1/pods")["items"]:
                    if pod["spec"].get("nodeName"):
                        self.look_after(pod)
            except OSError as error:  # a busy machine, or the end of the test
                print(f"kubelet: {error}", file=sys.stderr)

    def look_after(self, pod):
        metadata = pod["metadata"]
        path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"
        if "deletionTimestamp" in metadata:
            self.cluster.ask("DELETE", path, {"gracePeriodSeconds": 0, "preconditions": {"uid": metadata["uid"]}})
            return
        wanted = status(pod, not self.is_sick(pod))
        now = {c["type"]: c["status"] for c in pod["status"].get("conditions", [])}
        if pod["status"]["phase"] != wanted["phase"] or now.get("Ready") != ready(wanted):
            if pod["status"]["phase"] not in ("Succeeded", "Failed"):
                self.cluster.ask("PATCH", f"{path}/status", {"metadata": {"uid": metadata["uid"]}, "status": wanted})


def ready(status):
    return next(c["status"] for c in status["conditions"] if c["type"] == "Ready")


def status(pod, is_well):
    """What a kubelet writes about a pod."""
    once = pod["spec"]["restartPolicy"] == "Never"
    at = pod["metadata"]["creationTimestamp"]
    done = {"terminated": {"exitCode": 0, "reason": "Completed", "startedAt": at, "finishedAt": at}}

    def container(one, state, is_ready):
        name = {"name": one["name"], "image": one["image"], "imageID": one["image"]}
        return {**name, "ready": is_ready, "started": not once, "restartCount": 0, "state": state}

    is_ready = is_well and not once
    conditions = {"PodScheduled": True, "Initialized": True, "ContainersReady": is_ready, "Ready": is_ready}
    return {
        "phase": "Succeeded" if once else "Running",
        "startTime": at,
        "conditions": [{"type": name, "status": str(value), "lastTransitionTime": at} for name, value in conditions.items()],
        "initContainerStatuses": [container(one, done, True) for one in pod["spec"].get("initContainers", [])],
        "containerStatuses": [
            container(one, done if once else {"running": {"startedAt": at}}, is_ready) for one in pod["spec"]["containers"]
        ],
    }


def node(cluster, name):
    room = {"cpu": "1000", "memory": "1000Gi", "pods": "1000", "ephemeral-storage": "1000Gi"}
    labels = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux"}
    cluster.ask("POST", "/api/v1/nodes", {"metadata": {"name": name, "labels": labels}})
    condition = {"type": "Ready", "status": "True", "reason": "Test", "message": "", "lastHeartbeatTime": None}
    cluster.ask("PATCH", f"/api/v1/nodes/{name}/status", {"status": {
        "capacity": room, "allocatable": room, "conditions": [condition]
    }})
