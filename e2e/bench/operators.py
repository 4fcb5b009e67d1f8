"""The operators that are measured: this project's as a process of this machine, KEDA, or what is there already."""

import base64
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import yaml

import machine
from api import Api, until
from cloud import token

NAMESPACE, ACCOUNT = "keda", "keda-operator"
USER = f"system:serviceaccount:{NAMESPACE}:{ACCOUNT}"
API_SERVICE = "/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.external.metrics.k8s.io"
WEBHOOK = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/keda-admission"


def path(item):
    """Where an object is."""
    version, meta = item["apiVersion"], item["metadata"]
    base = f"/apis/{version}" if "/" in version else f"/api/{version}"
    within = f"/namespaces/{meta['namespace']}" if "namespace" in meta else ""
    return f"{base}{within}/{item['kind'].lower()}s/{meta['name']}"


def reachable(api):
    """An address of this machine at which the API server finds a program of this machine."""
    if not api.host.startswith("127.") and api.host != "localhost":
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((api.host, api.port))
            return probe.getsockname()[0]
    others = sorted(address for address in machine.addresses() if not address.startswith(("127.", "0.")))
    return others[0] if others else "127.0.0.1"


def free_ports(address, count):
    """Ports that nobody had on this address a moment ago."""
    with contextlib.ExitStack() as held:
        probes = [held.enter_context(socket.create_server((address, 0))) for _ in range(count)]
        return [probe.getsockname()[1] for probe in probes]


class Sluice:
    """`sluice operator` as a process, with the rights of its own ServiceAccount and of nobody else."""

    name = "sluice"

    def __init__(self, program, address=None, before=(), flags=()):
        """`before` is a command that runs the operator as its arguments, such as one that gives it another resolver. `flags` are added."""
        self.program, self.address, self.process, self.items, self.before, self.flags = str(program), address, None, [], list(before), list(flags)

    def start(self, bench, environment):
        api, scratch = bench.api, bench.scratch
        if found := api.get(API_SERVICE):
            raise SystemExit(f"the external metrics API of this cluster is {json.dumps(found['spec'].get('service'))}'s already; use --operator there, or a cluster without it")
        address = self.address or bench.address or reachable(api)
        said = subprocess.run([self.program, "operator", "manifests"], cwd=scratch, capture_output=True, text=True, check=True, timeout=60)
        items = [item for item in yaml.safe_load_all(said.stdout) if item and item["kind"] not in ("Deployment", "PodDisruptionBudget")]
        for item in items:
            self.items.append(endpoint(item, address))
            api.apply(path(item), item)
        service = next(item["metadata"]["name"] for item in items if item["kind"] == "Service")
        # Ports of its own: others of this machine may have the usual ones.
        ports = dict(zip(("https", "metrics", "health"), free_ports(address, 3)))
        piece = {
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "ports": [{"name": name, "port": ports[name], "protocol": "TCP"} for name in ("https", "metrics")],
            "metadata": {"name": f"{service}-bench", "namespace": NAMESPACE, "labels": {"kubernetes.io/service-name": service}},
            "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
        }
        api.apply(path(piece), piece)
        self.items.append(piece)
        for kind in ("scaledobjects", "triggerauthentications"):
            until(f"kind {kind}", 60, lambda kind=kind: api.get(f"/apis/keda.sh/v1alpha1/{kind}") is not None)
        file = scratch / "operator.kubeconfig"
        cluster = {"server": api.server, "certificate-authority-data": base64.b64encode(api.ca).decode()}
        held = token(api, f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts", ACCOUNT)
        config = {
            "apiVersion": "v1", "kind": "Config", "current-context": "c", "clusters": [{"name": "c", "cluster": cluster}],
            "users": [{"name": "u", "user": {"token": held}}], "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        }
        with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
            json.dump(config, out)
        own = {"KUBECONFIG": str(file), "POD_IP": address, "POD_NAME": "sluice-bench", "POD_NAMESPACE": NAMESPACE}
        self.log = scratch / "operator.log"
        listening = [f"--bind-address={address}", f"--secure-port={ports['https']}", f"--metrics-bind-address={address}:{ports['metrics']}", f"--health-probe-bind-address={address}:{ports['health']}"]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([*self.before, self.program, "operator", *listening, *self.flags], cwd=scratch, env={"PATH": os.environ["PATH"], **environment, **own}, stdout=log, stderr=log)
        self.group = machine.Group([machine.Process(self.process.pid, "sluice operator")])
        until("external metrics API of the operator", 90, lambda: self._is_up(api))

    def _is_up(self, api):
        if self.process.poll() is not None:
            raise SystemExit(f"the operator ended with code {self.process.returncode}; the end of {self.log}:\n{tail(self.log)}")
        return is_available(api)

    def end(self):
        """The process ends; what it made stays."""
        if self.process:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                print("the operator did not end within 30 s of SIGTERM and was killed", file=sys.stderr)

    def stop(self, bench):
        self.end()
        remove(bench.api, self.items)


def endpoint(item, address):
    """The Service without its selector: its endpoints are of this machine."""
    if item["kind"] == "Service":
        item["spec"].pop("selector", None)
    return item


def remove(api, items):
    for item in reversed(items):
        api.delete(path(item))
    for item in items:
        if item["kind"] in ("Namespace", "CustomResourceDefinition"):
            until(f"end of {item['kind']} {item['metadata']['name']}", 180, lambda item=item: api.get(path(item)) is None)


def is_available(api):
    found = api.get(API_SERVICE) or {}
    conditions = {one["type"]: one for one in found.get("status", {}).get("conditions") or []}
    one = conditions.get("Available", {})
    return (True if one.get("status") == "True" else None), one.get("message", "no condition yet")


class Keda:
    """The real KEDA by the scripts of a folder `real/keda`: its operator and its metrics adapter, measured together."""

    name = "keda"

    def __init__(self, folder):
        self.folder = Path(folder)

    def start(self, bench, environment):
        environment = {**os.environ, **environment, "REAL_HOST_IP": bench.address or os.environ.get("REAL_HOST_IP", "")}
        done = subprocess.run([self.folder / "up"], env=environment, capture_output=True, text=True, timeout=300, start_new_session=True)
        if done.returncode:
            raise SystemExit(f"{self.folder}/up failed:\n{done.stderr}")
        found = machine.of_program("keda-operator") + machine.of_program("keda-adapter")
        if len(found) != 2:
            raise SystemExit(f"KEDA's operator and adapter are to be measured, but there are {[one.name for one in found]}")
        self.group = machine.Group(found)
        until("external metrics API of KEDA", 90, lambda: is_available(bench.api))

    def end(self, bench):
        """Its processes end, and nobody asks them any more; what they made stays."""
        for process in self.group.processes + machine.of_program("keda-webhooks"):
            os.kill(process.pid, signal.SIGTERM)
        until("end of KEDA's processes", 60, lambda: not any(process.is_alive() for process in self.group.processes))
        bench.api.delete(WEBHOOK)
        bench.api.delete(API_SERVICE)

    def stop(self, bench):
        subprocess.run([self.folder / "down"], capture_output=True, text=True, timeout=300)
        # What its kustomizations leave, so that another operator finds a cluster without any.
        for kind in ("scaledobjects", "scaledjobs", "triggerauthentications", "clustertriggerauthentications"):
            bench.api.delete(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{kind}.keda.sh")
        bench.api.delete(API_SERVICE)


class There:
    """The operator that the cluster has. Its processes are measured if they are of this machine."""

    name = "there"

    def start(self, bench, environment):
        until("external metrics API", 30, lambda: is_available(bench.api))
        found = machine.of_program("sluice", "operator") or machine.of_program("keda-operator") + machine.of_program("keda-adapter")
        self.group = machine.Group(found)
        if not found:
            print("the operator is no process of this machine: its CPU and memory cannot be had", file=sys.stderr)

    def stop(self, bench):
        pass


def tail(file, lines=20):
    return "\n".join(Path(file).read_text(errors="replace").splitlines()[-lines:])
