"""A Kubernetes control plane without machines: etcd, API server, controller manager and scheduler, from the folder that
KUBEBUILDER_ASSETS names. What a request is answered and what controllers do is genuine; nodes and the state of pods are what
`kubelet` says."""

import json
import os
import pathlib
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request

from manifests import kubectl, yaml

PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
# Timeout of every wait, enough for a busy machine.
PATIENCE_SECS = 180


def free_ports(count):
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


class Cluster:
    def __init__(self, folder, cleanup):
        programs = pathlib.Path(os.environ.get("KUBEBUILDER_ASSETS", "/nowhere"))
        missing = [name for name in PROGRAMS if not (programs / name).exists()]
        if missing:
            raise unittest.SkipTest(f"no cluster here: KUBEBUILDER_ASSETS names no folder with {', '.join(missing)}")
        self.folder, self.programs, self.cleanup = pathlib.Path(folder), programs, cleanup
        client, peer, port = free_ports(3)
        store, peers = f"http://127.0.0.1:{client}", f"http://127.0.0.1:{peer}"
        self.url = f"https://127.0.0.1:{port}"
        key, tokens, self.config = (self.folder / name for name in ("key.pem", "tokens", "config"))
        self.authority = self.folder / "certificates/apiserver.crt"
        subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
        tokens.write_text('secret,tester,1,"system:masters"\n')
        self.config.write_text(yaml.safe_dump({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": {"server": self.url, "insecure-skip-tls-verify": True}}],
            "users": [{"name": "u", "user": {"token": "secret"}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "c",
        }))
        self.start("etcd", f"--data-dir={self.folder / 'etcd-data'}", f"--listen-client-urls={store}",
                   f"--advertise-client-urls={store}", f"--listen-peer-urls={peers}", "--unsafe-no-fsync",
                   f"--initial-advertise-peer-urls={peers}", f"--initial-cluster=default={peers}")
        api = self.start("kube-apiserver", f"--etcd-servers={store}", f"--secure-port={port}", "--bind-address=127.0.0.1",
                         f"--cert-dir={self.authority.parent}", f"--token-auth-file={tokens}", "--authorization-mode=RBAC",
                         "--service-cluster-ip-range=10.0.0.0/24", "--service-account-issuer=https://test",
                         f"--service-account-key-file={key}", f"--service-account-signing-key-file={key}",
                         # One address of a test makes all requests.
                         "--enable-priority-and-fairness=false", "--max-requests-inflight=0")
        self.wait_until("the API server is ready", lambda: api.poll() is None and self.answers("/readyz"), "kube-apiserver.log")
        apart = [f"--kubeconfig={self.config}", "--leader-elect=false", "--secure-port=0"]
        # Nobody renews the Leases of the nodes.
        self.start("kube-controller-manager", *apart, f"--service-account-private-key-file={key}",
                   f"--root-ca-file={self.authority}", "--node-monitor-grace-period=24h", "--kube-api-qps=1000", "--kube-api-burst=1000")
        self.start("kube-scheduler", *apart, "--kube-api-qps=1000", "--kube-api-burst=1000")

    def start(self, program, *arguments):
        with open(self.folder / f"{program}.log", "w") as log:
            process = subprocess.Popen([self.programs / program, *arguments], stdout=log, stderr=log, cwd=self.folder)
        self.cleanup(process.wait)
        self.cleanup(process.kill)
        return process

    def wait_until(self, what, holds, log=None):
        """`holds` returns something true, or may also return a text that says what is missing."""
        deadline = time.monotonic() + PATIENCE_SECS
        while True:
            said = holds()
            if said and not isinstance(said, str):
                return said
            if time.monotonic() > deadline:
                tail = (self.folder / log).read_text()[-2000:] if log else said
                raise AssertionError(f"waited in vain until {what}: {tail}")
            time.sleep(0.2)

    def ask(self, method, path, body=None):
        """What the API answers to one request; a dict, or None where there is no such thing."""
        content = "application/merge-patch+json" if method == "PATCH" else "application/json"
        headers = {"Authorization": "Bearer secret", "Content-Type": content}
        request = urllib.request.Request(self.url + path, method=method, headers=headers, data=json.dumps(body).encode() if body else None)
        try:
            with urllib.request.urlopen(request, timeout=30, context=UNCHECKED) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code in (404, 409):
                return None
            if error.code == 429:
                # As for a moment after a kind of object was defined: the server says when to ask again.
                time.sleep(int(error.headers.get("Retry-After", 1)))
                return self.ask(method, path, body)
            raise AssertionError(f"{method} {path}: {error.read().decode()}") from error

    def answers(self, path):
        try:
            urllib.request.urlopen(urllib.request.Request(self.url + path), timeout=5, context=UNCHECKED).close()
        except OSError as error:
            return str(error)
        return True

    def try_kubectl(self, *arguments, given=None):
        """`given` is text, or objects, for stdin."""
        given = yaml.safe_dump_all(given) if isinstance(given, list) else given
        line = [kubectl(), f"--kubeconfig={self.config}", *arguments]
        return subprocess.run(line, input=given, capture_output=True, text=True)

    def kubectl(self, *arguments, given=None):
        """What it says on stdout; a failure and a warning fail the test."""
        done = self.try_kubectl(*arguments, given=given)
        if done.returncode or "Warning" in done.stderr:
            raise AssertionError(f"kubectl {' '.join(arguments)}: {done.stdout}{done.stderr}")
        return done.stdout

    def names(self, namespace, kinds):
        return sorted(self.kubectl("--namespace", namespace, "get", kinds, "--output=name").split())

    def get(self, namespace, kind, name):
        return json.loads(self.kubectl("--namespace", namespace, "get", kind, name, "--output=json"))


UNCHECKED = ssl._create_unverified_context()


def main():
    """For tests that are not Python's: starts a cluster, prints where it is, and ends with its input."""
    cleanups = []
    with tempfile.TemporaryDirectory() as folder:
        try:
            cluster = Cluster(folder, cleanups.append)
            print(json.dumps({"url": cluster.url, "authority": str(cluster.authority), "config": str(cluster.config)}), flush=True)
            sys.stdin.read()
        finally:
            for cleanup in reversed(cleanups):
                cleanup()


if __name__ == "__main__":
    main()
