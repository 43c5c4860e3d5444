"""A container of the rendered manifests as a process: its command, environment and mounts, in the image's root file system
and a network of its own."""

import base64
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

from manifests import of_kind, pod_template

# Timeout of every wait, enough for a busy machine.
PATIENCE_SECS = 120


class Network:
    """A network with a loopback device only: all ports are free, and no request leaves it."""

    def __init__(self, cleanup):
        self.holder = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", "ip link set lo up && echo up && exec sleep 86400"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        cleanup(self.holder.communicate)
        cleanup(self.holder.kill)
        if self.holder.stdout.readline() != "up\n":
            raise unittest.SkipTest("no network namespaces here (unshare --net, ip): root outside a container has them")

    def inside(self, line):
        return [shutil.which("nsenter"), f"--net=/proc/{self.holder.pid}/ns/net", "--", *line]

    def status(self, port, path):
        """The HTTP status and body of a GET on loopback; status 0 without a response."""
        ask = (
            "import sys, urllib.request, urllib.error\n"
            "try: answer = urllib.request.urlopen(sys.argv[1], timeout=10)\n"
            "except urllib.error.HTTPError as error: answer = error\n"
            "except OSError as error: print(0, error); sys.exit()\n"
            "print(answer.status, answer.read().decode())"
        )
        line = self.inside([sys.executable, "-c", ask, f"http://127.0.0.1:{port}{path}"])
        status, _, body = subprocess.run(line, capture_output=True, text=True, check=True).stdout.partition(" ")
        return int(status), body


class Process:
    """A command running in the image; its output goes to a file."""

    def __init__(self, image, network, command, environment, cleanup, metrics_port=None):
        self.network, self.metrics_port = network, metrics_port
        self.log = tempfile.TemporaryFile("w+")
        cleanup(self.log.close)
        line, environment = image.chroot(command, environment)
        self.process = subprocess.Popen(
            network.inside(line), env=environment, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log
        )
        cleanup(self.end)

    def said(self):
        self.log.seek(0)
        return self.log.read()

    def end(self, signal_number=signal.SIGKILL):
        """Its exit code after a signal."""
        if self.process.poll() is None:
            self.process.send_signal(signal_number)
        return self.process.wait(PATIENCE_SECS)

    def becomes(self, path, wanted, port=None):
        """Waits until a probe, or another port, responds with this status; returns the body."""
        deadline = time.monotonic() + PATIENCE_SECS
        while True:
            status, body = self.network.status(port or self.metrics_port, path)
            if status == wanted:
                return body
            if self.process.poll() is not None:
                raise AssertionError(f"ended with {self.process.returncode}: {self.said()}")
            if time.monotonic() > deadline:
                raise AssertionError(f"{path} is {status}, not {wanted}: {body}\n{self.said()}")
            time.sleep(0.2)


def environment_of(container, objects):
    """The environment that Kubernetes would give to pod 0."""
    maps = {item["metadata"]["name"]: item["data"] for item in of_kind(objects, "ConfigMap") if "data" in item}
    environment = {}
    for source in container.get("envFrom", []):
        environment |= maps.get(source.get("configMapRef", {}).get("name"), {})
    for variable in container.get("env", []):
        source = variable.get("valueFrom", {})
        if "configMapKeyRef" in source:
            value = maps[source["configMapKeyRef"]["name"]][source["configMapKeyRef"]["key"]]
        elif "secretKeyRef" in source:
            value = "made by hand"
        elif "fieldRef" in source:
            value = "pod-0"
        else:
            value = variable["value"]
        environment[variable["name"]] = value
    return environment


def mount(image, container, template, objects):
    """Copies the volumes to where the container mounts them."""
    data = {}
    for item in of_kind(objects, "ConfigMap"):
        data["configMap", item["metadata"]["name"]] = item.get("data", {})
    for item in of_kind(objects, "Secret"):
        decoded = {key: base64.b64decode(value).decode() for key, value in item["data"].items()}
        data["secret", item["metadata"]["name"]] = decoded
    volumes = {volume["name"]: volume for volume in template["spec"]["volumes"]}
    for place in container["volumeMounts"]:
        volume, folder = volumes[place["name"]], image.root / place["mountPath"].lstrip("/")
        folder.mkdir(parents=True, exist_ok=True)
        if "persistentVolumeClaim" in volume or "emptyDir" in volume:
            os.chown(folder, 65532, 65532)
            continue
        kind = "configMap" if "configMap" in volume else "secret"
        name = volume[kind].get("name") or volume[kind]["secretName"]
        for key, value in data[kind, name].items():
            (folder / key).write_text(value)


def start(image, network, item, container, objects, cleanup, metrics_port):
    """Starts a container of a workload. All pods name the same metrics port, so it gets another one."""
    mount(image, container, pod_template(item), objects)
    environment = environment_of(container, objects)
    command = container.get("command", []) + container.get("args", [])
    command = [re.sub(r"\$\((\w+)\)", lambda match: environment[match[1]], word) for word in command]
    # There is no API server: the pod is the only one of its stage.
    command = [word.replace(":9464", f":{metrics_port}").replace("--pod=pod-0", "--share=0/1") for word in command]
    return Process(image, network, command, environment, cleanup, metrics_port)
