#!/usr/bin/env python3
"""The same metric series into the real HPA controller and ours: the same replicas, sync by sync, and the same conditions.

    SLUICE_PARITY_OURS_KUBECONFIG=… SLUICE_PARITY_REAL_KUBECONFIG=… REAL_HOST_IP=… python3 e2e/parity/hpa.py [WORD…]

The metrics come from a server in this program, one for each side, which both API servers must reach at REAL_HOST_IP; it
is registered as the external metrics API. The targets are custom resources with the scale subresource, so no container
runs. What a sync decided is read when the next one asks for its metric, so nothing depends on how long anything takes,
except the windows: they are given in syncs, and the length of a sync comes from

    SLUICE_PARITY_REAL_SYNC  seconds (2): --horizontal-pod-autoscaler-sync-period of the real controller manager; its
                           --horizontal-pod-autoscaler-downscale-stabilization has to be 19.9 times that (39.8s), as ours
                           is 20 syncs of 15 s
    SLUICE_PARITY_OURS_SYNC  seconds of the local cloud's own time (15), however fast that runs
"""

import base64
import concurrent.futures
import http.server
import json
import os
import shutil
import ssl
import subprocess
import sys
import threading
import urllib.parse

from hpa_series import SERIES
from parity import HERE, Listed, close, evaluate, sides, until

NAMESPACE = "parity-hpa"
GROUP = "external.metrics.k8s.io"
BASE = f"/apis/{GROUP}/v1beta1"
BOXES = f"/apis/hpa.parity.example.com/v1/namespaces/{NAMESPACE}/boxes"
SCALERS = f"/apis/autoscaling/v2/namespaces/{NAMESPACE}/horizontalpodautoscalers"
SERVICE = f"v1beta1.{GROUP}"
CRD = "boxes.hpa.parity.example.com"


class Play:
    """One series on one side: which sync it is in, and what was seen."""

    def __init__(self, series):
        self.series, self.step, self.seen, self.queries = series, 0, [], set()
        self.done = threading.Event()


class Theatre:
    """One side with its metrics server, its targets and its autoscalers."""

    def __init__(self, side, series, sync, address, tls):
        self.side, self.sync, self.address = side, sync, address
        self.plays = {one.name: Play(one) for one in series}
        theatre = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                code, body = theatre.answer(self.path)
                data = json.dumps(body).encode()
                self.send_response(code)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer((address, 0), Handler)
        self.server.daemon_threads = True
        self.server.socket = tls.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.stopped = threading.Event()
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, path):
        place = urllib.parse.urlsplit(path)
        if place.path.rstrip("/") == BASE:
            resource = {"name": "*", "singularName": "", "namespaced": True, "kind": "ExternalMetricValueList", "verbs": ["get"]}
            return 200, {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": f"{GROUP}/v1beta1", "resources": [resource]}
        if not place.path.startswith(f"{BASE}/namespaces/{NAMESPACE}/"):
            return 404, status(404, "NotFound", "there is nothing here")
        name, _, index = place.path.rsplit("/", 1)[1].rpartition("-")
        play = self.plays.get(name)
        if play is None:
            return 404, status(404, "NotFound", f"no series {name}")
        if index == "0":
            self.note(play)
        play.queries.add(place.query)
        row = play.series.values[min(play.step, len(play.series.values)) - 1]
        value = row[int(index)] if isinstance(row, tuple) else row
        if value == "error":
            return 500, status(500, "InternalError", "Internal error occurred: the source is away")
        items = [] if value == "none" else [
            {"metricName": f"{name}-{index}", "metricLabels": {}, "timestamp": "2026-01-01T00:00:00Z", "value": str(part)}
            for part in (value if isinstance(value, list) else [value])
        ]
        return 200, {"kind": "ExternalMetricValueList", "apiVersion": f"{GROUP}/v1beta1", "metadata": {}, "items": items}

    def note(self, play):
        """A new sync begins: what did the one before decide?"""
        if play.step > len(play.series.values):
            return
        play.seen.append(self.state(play.series.name))
        play.step += 1
        if play.step > len(play.series.values):
            play.done.set()

    def state(self, name):
        box, scaler = (self.side.get(f"{path}/{name}")["body"] for path in (BOXES, SCALERS))
        held = scaler.get("status", {})
        conditions = {one["type"]: f"{one['status']} {one['reason']}: {one['message']}" for one in held.get("conditions") or []}
        sizes = {key: held.get(key) for key in ("currentReplicas", "desiredReplicas", "currentMetrics")}
        return {"replicas": box["spec"]["replicas"], "conditions": conditions, "status": sizes}

    def set_up(self):
        side = self.side
        if side.get(f"/apis/apiregistration.k8s.io/v1/apiservices/{SERVICE}")["status"] == 200:
            sys.exit(f"{side.name}: somebody already serves {GROUP}; these cases need a cluster without it")
        port = self.server.server_address[1]
        made(side.post("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}))
        made(side.post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition()))
        made(side.post(f"/api/v1/namespaces/{NAMESPACE}/services", {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "metrics"}, "spec": {"ports": [{"name": "https", "port": 443, "targetPort": port}]}}))
        made(side.post(f"/apis/discovery.k8s.io/v1/namespaces/{NAMESPACE}/endpointslices", {
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {"name": "metrics", "labels": {"kubernetes.io/service-name": "metrics"}},
            "ports": [{"name": "https", "port": port, "protocol": "TCP"}], "endpoints": [{"addresses": [self.address], "conditions": {"ready": True}}],
        }))
        made(side.post("/apis/apiregistration.k8s.io/v1/apiservices", {
            "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": {"name": SERVICE},
            "spec": {"group": GROUP, "version": "v1beta1", "groupPriorityMinimum": 100, "versionPriority": 100, "caBundle": self.bundle, "service": {"namespace": NAMESPACE, "name": "metrics", "port": 443}},
        }))
        until("external metrics API", lambda: side.get(BASE)["status"] == 200)
        until("targets' resource", lambda: side.get(BOXES)["status"] == 200)
        self.wait_for_controller()
        threading.Thread(target=self.follow, daemon=True).start()
        for play in self.plays.values():
            self.begin(play.series)

    def wait_for_controller(self):
        """The real one looks for new kinds every 30 s only: it knows ours once it finds an autoscaler's target at zero."""
        name = "known"
        made(self.side.post(BOXES, {"apiVersion": "hpa.parity.example.com/v1", "kind": "Box", "metadata": {"name": name}, "spec": {"replicas": 0}}))
        target = {"apiVersion": "hpa.parity.example.com/v1", "kind": "Box", "name": name}
        made(self.side.post(SCALERS, {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": name}, "spec": {"scaleTargetRef": target, "maxReplicas": 1}}))
        until("controller that knows the targets", lambda: self.is_disabled(name))
        for path in (SCALERS, BOXES):
            self.side.delete(f"{path}/{name}")

    def is_disabled(self, name):
        return self.state(name)["conditions"].get("ScalingActive", "").startswith("False ScalingDisabled")

    def begin(self, series):
        name, side = series.name, self.side
        made(side.post(BOXES, {"apiVersion": "hpa.parity.example.com/v1", "kind": "Box", "metadata": {"name": name}, "spec": {"replicas": series.start}}))
        side.patch(f"{BOXES}/{name}/status", {"status": {"replicas": series.start, "selector": f"box={name}"}})
        pods = f"/api/v1/namespaces/{NAMESPACE}/pods"
        for number in range(series.ready):
            # Nobody schedules it, so nobody but this program says how it is.
            spec = {"schedulerName": "nobody", "containers": [{"name": "a", "image": "example.com/none:1"}]}
            made(side.post(pods, {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"{name}-{number}", "labels": {"box": name}}, "spec": spec}))
            ready = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}
            answer = side.patch(f"{pods}/{name}-{number}/status", {"status": {"phase": "Running", "startTime": "2026-01-01T00:00:00Z", "conditions": [ready]}})
            assert answer["status"] == 200, answer
        spec = series.spec(lambda syncs: int(syncs * self.sync))
        made(side.post(SCALERS, {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": name}, "spec": spec}))

    def follow(self):
        """The targets' controller: a target has as many replicas as its spec says."""
        while not self.stopped.wait(0.1):
            answer = self.side.get(BOXES)
            for box in answer["body"].get("items", []) if answer["status"] == 200 else []:
                wanted, name = box["spec"]["replicas"], box["metadata"]["name"]
                if box.get("status", {}).get("replicas") not in (None, wanted):
                    self.side.patch(f"{BOXES}/{name}/status", {"status": {"replicas": wanted}})

    def play(self, name):
        """Waits for the end of a series; gives what each of its syncs decided."""
        play = self.plays[name]
        if play.series.start == 0:
            until("disabled scaling", lambda: self.is_disabled(name))
            play.seen.append(self.state(name))
            self.side.patch(f"{BOXES}/{name}", {"spec": {"replicas": 2}})
        if not play.done.wait(60 + 6 * len(play.series.values)):
            return {"broken": f"only {play.step} of {len(play.series.values)} syncs", "seen": play.seen}
        return {"replicas": [one["replicas"] for one in play.seen], "syncs": play.seen, "queries": sorted(play.queries)}

    def end(self):
        self.stopped.set()
        self.side.delete(f"/apis/apiregistration.k8s.io/v1/apiservices/{SERVICE}")
        self.side.delete(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{CRD}")
        self.side.delete(f"/api/v1/namespaces/{NAMESPACE}")
        until(f"end of namespace {NAMESPACE}", lambda: self.side.get(f"/api/v1/namespaces/{NAMESPACE}")["status"] == 404)
        self.server.shutdown()


def made(answer):
    assert answer["status"] == 201, answer


def status(code, reason, message):
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message, "reason": reason, "code": code}


def definition():
    schema = {"type": "object", "properties": {
        "spec": {"type": "object", "properties": {"replicas": {"type": "integer"}}},
        "status": {"type": "object", "properties": {"replicas": {"type": "integer"}, "selector": {"type": "string"}}},
    }}
    scale = {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas", "labelSelectorPath": ".status.selector"}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}, "subresources": {"status": {}, "scale": scale}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": CRD},
        "spec": {"group": "hpa.parity.example.com", "scope": "Namespaced", "names": {"plural": "boxes", "singular": "box", "kind": "Box"}, "versions": [version]},
    }


def certificate(folder, *addresses):
    """A certificate for the service's name and these addresses, from a CA that was made for it."""
    name = f"metrics.{NAMESPACE}.svc"
    also = "".join(f",IP:{address}" for address in addresses)
    key = ["-newkey", "rsa:2048", "-nodes", "-days", "2"]
    run = lambda *words: subprocess.run(["openssl", *words], check=True, capture_output=True)
    run("req", "-x509", *key, "-subj", "/CN=parity-ca", "-keyout", folder / "ca-key.pem", "-out", folder / "ca.pem")
    run("req", *key[:3], "-subj", f"/CN={name}", "-keyout", folder / "key.pem", "-out", folder / "request.pem")
    (folder / "extensions").write_text(f"subjectAltName=DNS:{name}{also}\nbasicConstraints=CA:FALSE\n")
    run("x509", "-req", "-days", "2", "-in", folder / "request.pem", "-CA", folder / "ca.pem", "-CAkey", folder / "ca-key.pem",
        "-CAcreateserial", "-extfile", folder / "extensions", "-out", folder / "cert.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context, base64.b64encode((folder / "ca.pem").read_bytes()).decode()


def main():
    pair, scratch = sides()
    address = os.environ.get("REAL_HOST_IP")
    if not address:
        print("skipped: set REAL_HOST_IP to an address of this machine that both API servers reach")
        return
    chosen = [one for one in SERIES if len(sys.argv) == 1 or any(word in one.name for word in sys.argv[1:])]
    syncs = {"ours": int(os.environ.get("SLUICE_PARITY_OURS_SYNC", "15")), "real": int(os.environ.get("SLUICE_PARITY_REAL_SYNC", "2"))}
    listed, passed = Listed(HERE / "kubernetes-differences.toml"), 0
    theatres = []
    try:
        tls, Theatre.bundle = certificate(scratch)
        with concurrent.futures.ThreadPoolExecutor(4 + 2 * len(chosen)) as pool:
            list(pool.map(lambda side: side.begin(), pair))
            theatres = [Theatre(side, chosen, syncs[side.name], address, tls) for side in pair]
            list(pool.map(Theatre.set_up, theatres))
            waiting = [[pool.submit(theatre.play, one.name) for theatre in theatres] for one in chosen]
            for one, (ours, theirs) in zip(chosen, waiting):
                name = f"series {one.name}"
                result, other = ours.result(), theirs.result()
                good = evaluate(name, result, other, listed) and "broken" not in result
                print(f"      ours {result.get('replicas')}\n      real {other.get('replicas')}")
                passed += good
    finally:
        for theatre in theatres:
            theatre.end()
        for side in pair:
            side.end()
        shutil.rmtree(scratch, ignore_errors=True)
    close(passed, len(chosen) - passed, listed, {f"series {one.name}" for one in chosen})


if __name__ == "__main__":
    main()
