"""A Kubernetes API server with its etcd, from the folder that KUBEBUILDER_ASSETS names. No controllers and no nodes: what a request
is answered is genuine, pods do not run."""

import json
import os
import pathlib
import socket
import subprocess
import time
import unittest

from manifests import kubectl, yaml

# Timeout of the start, enough for a busy machine.
PATIENCE_SECS = 180


def free_ports(count):
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


class Cluster:
    def __init__(self, folder, cleanup):
        programs = os.environ.get("KUBEBUILDER_ASSETS")
        if not programs:
            raise unittest.SkipTest("no API server here: KUBEBUILDER_ASSETS names a folder with kube-apiserver and etcd")
        self.folder = pathlib.Path(folder)
        client, peer, port = free_ports(3)
        store, peers = f"http://127.0.0.1:{client}", f"http://127.0.0.1:{peer}"
        key, tokens, self.config = (self.folder / name for name in ("key.pem", "tokens", "config"))
        subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
        tokens.write_text('secret,tester,1,"system:masters"\n')
        self.config.write_text(yaml.safe_dump({
            "clusters": [{"name": "c", "cluster": {"server": f"https://127.0.0.1:{port}", "insecure-skip-tls-verify": True}}],
            "users": [{"name": "u", "user": {"token": "secret"}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "c",
        }))
        self.start(cleanup, f"{programs}/etcd", f"--data-dir={self.folder / 'etcd'}", f"--listen-client-urls={store}",
                   f"--advertise-client-urls={store}", f"--listen-peer-urls={peers}",
                   f"--initial-advertise-peer-urls={peers}", f"--initial-cluster=default={peers}")
        api = self.start(cleanup, f"{programs}/kube-apiserver", f"--etcd-servers={store}", f"--secure-port={port}",
                         "--bind-address=127.0.0.1", f"--cert-dir={self.folder / 'certificates'}", f"--token-auth-file={tokens}",
                         "--authorization-mode=RBAC", "--service-cluster-ip-range=10.0.0.0/24",
                         "--service-account-issuer=https://test", f"--service-account-key-file={key}",
                         f"--service-account-signing-key-file={key}")
        deadline = time.monotonic() + PATIENCE_SECS
        while self.try_kubectl("get", "--raw", "/readyz").returncode:
            if api.poll() is not None or time.monotonic() > deadline:
                raise AssertionError((self.folder / "kube-apiserver.log").read_text()[-2000:])
            time.sleep(0.5)

    def start(self, cleanup, program, *arguments):
        with open(self.folder / f"{pathlib.Path(program).name}.log", "w") as log:
            process = subprocess.Popen([program, *arguments], stdout=log, stderr=log, cwd=self.folder)
        cleanup(process.wait)
        cleanup(process.kill)
        return process

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
