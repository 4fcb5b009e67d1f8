#!/usr/bin/env python3
"""Admission webhooks of the local Kubernetes and of a real one: what they are asked, and what becomes of what they answer.

    SLUICE_PARITY_OURS_KUBECONFIG=… SLUICE_PARITY_REAL_KUBECONFIG=… REAL_HOST_IP=… python3 e2e/parity/webhooks.py [WORD…]

The webhook is a server in this program, one for each side, which both API servers must reach at REAL_HOST_IP. No recording
holds these cases, as the replay has no webhook. Differences that stay are in kubernetes-differences.toml.
"""

import base64
import concurrent.futures
import http.server
import json
import os
import shutil
import sys
import threading
import time

from hpa import certificate
from parity import HERE, NAMESPACE, Listed, close, evaluate, run_side, sides, until

CONFIGURATIONS = "/apis/admissionregistration.k8s.io/v1"
MAPS = f"/api/v1/namespaces/{NAMESPACE}/configmaps"
SCALERS = "namespaces/{}/horizontalpodautoscalers".format(NAMESPACE)
CRD = "boxes.hooks.parity.example.com"
BOXES = f"namespaces/{NAMESPACE}/boxes"


class Webhook:
    """A server of one side; `answer` says what it responds to a request."""

    def __init__(self, address, tls):
        self.seen, self.answer = [], lambda request: {"allowed": True}
        webhook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                webhook.seen.append({**review["request"], "path": self.path, "review": review["apiVersion"]})
                given = webhook.answer(review["request"])
                raw = given.pop("raw", None) if isinstance(given, dict) else given
                code = given.pop("status code", 200) if isinstance(given, dict) else 200
                response = {"uid": review["request"]["uid"], **(given if isinstance(given, dict) else {})}
                whole = {"kind": "AdmissionReview", "apiVersion": response.pop("review", review["apiVersion"]), "response": response}
                data = (raw if raw is not None else json.dumps(whole)).encode()
                try:
                    self.send_response(code)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(data)))
                    self.end_headers()
                    self.wfile.write(data)
                except OSError:
                    pass  # whoever asked waits no more

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer((address, 0), Handler)
        self.server.daemon_threads = True
        self.server.socket = tls.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"https://{address}:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def asked(self):
        seen, self.seen = self.seen, []
        return [{**request, "uid": "<uid>"} for request in seen]


def entry(side, **more):
    rule = {"operations": ["*"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"]}
    selector = {"matchLabels": {"kubernetes.io/metadata.name": NAMESPACE}}
    return {
        "name": "check.parity.example.com", "sideEffects": "None", "admissionReviewVersions": ["v1"], "namespaceSelector": selector,
        "clientConfig": {"url": f"{side.webhook.url}/check", "caBundle": side.bundle}, "rules": [rule], **more,
    }


def rule(group, versions, *resources):
    return [{"operations": ["*"], "apiGroups": [group], "apiVersions": versions, "resources": list(resources)}]


class Configured:
    """One configuration while the block runs; it is in force once its marker is refused."""

    def __init__(self, side, kind, *hooks):
        self.side, self.path = side, f"{CONFIGURATIONS}/{kind.lower()}configurations"
        self.body = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": f"{kind}Configuration", "metadata": {"name": "parity"}, "webhooks": list(hooks)}

    def __enter__(self):
        self.side.delete(f"{self.path}/parity")
        marker = {**entry(self.side), "name": "marker.parity.example.com", "objectSelector": {"matchLabels": {"marker": "yes"}}, "clientConfig": {"url": f"{self.side.webhook.url}/marker", "caBundle": self.side.bundle}}
        self.body["webhooks"].append(marker)
        made = self.side.post(self.path, self.body)
        assert made["status"] == 201, made
        body = {**config_map("marker"), "metadata": {"name": "marker", "labels": {"marker": "yes"}}}
        until("configuration in force", lambda: self.side.post(f"{MAPS}?dryRun=All", body) and any(one["path"].startswith("/marker") for one in self.side.webhook.asked()))
        return self

    def __exit__(self, *_):
        self.side.delete(f"{self.path}/parity")
        time.sleep(1.5)  # the real server forgets it only some time later
        self.side.webhook.answer = lambda request: {"allowed": True}


def config_map(name, **data):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data or {"a": "b"}}


def patch(*operations):
    return {"allowed": True, "patchType": "JSONPatch", "patch": base64.b64encode(json.dumps(operations).encode()).decode()}


def bare(answer):
    """Without what no webhook has a part in."""
    if isinstance(answer["body"], dict):
        answer["body"].get("metadata", {}).pop("managedFields", None)
    return answer


def what_they_are_asked(side):
    found = {}

    def see(name, answer):
        found[name] = {"answer": bare(answer), "asked": side.webhook.asked()}
        for request in found[name]["asked"]:
            for part in ("object", "oldObject"):
                (request.get(part) or {}).get("metadata", {}).pop("managedFields", None)

    rules = rule("", ["v1"], "configmaps", "namespaces")
    with Configured(side, "ValidatingWebhook", entry(side, rules=rules)):
        see("create", side.post(MAPS, config_map("asked")))
        see("create dry", side.post(f"{MAPS}?dryRun=All", config_map("asked-dry")))
        see("replace", side.put(f"{MAPS}/asked", config_map("asked", a="c")))
        see("patch", side.patch(f"{MAPS}/asked", {"data": {"b": "d"}}))
        see("patch dry", side.patch(f"{MAPS}/asked?dryRun=All&fieldManager=me", {"data": {"b": "e"}}))
        see("apply", side.patch(f"{MAPS}/applied?fieldManager=me", json.dumps(config_map("applied")), "apply"))
        see("generate", side.post(MAPS, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "made-"}}))
        see("delete dry", side.delete(f"{MAPS}/asked?dryRun=All"))
        see("delete", side.delete(f"{MAPS}/asked", {"propagationPolicy": "Background"}))
        see("change of the namespace", side.patch(f"/api/v1/namespaces/{NAMESPACE}", {"metadata": {"annotations": {"a": "b"}}}))
        see("delete all", side.delete(f"{MAPS}?fieldSelector=metadata.name%3Dapplied"))
    return found


def other_versions(side):
    found = {}
    target = {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "x"}, "maxReplicas": 3}
    scaler = lambda version, name, **spec: {"apiVersion": f"autoscaling/{version}", "kind": "HorizontalPodAutoscaler", "metadata": {"name": name}, "spec": {**target, **spec}}

    def see(name, answer):
        asked = side.webhook.asked()
        for request in asked:
            (request.get("object") or {}).get("metadata", {}).pop("managedFields", None)
        keys = ("kind", "resource", "requestKind", "requestResource", "object", "subResource", "requestSubResource")
        found[name] = {"answer": bare(answer), "asked": [{key: request.get(key) for key in keys} for request in asked]}

    for policy in ("Exact", "Equivalent"):
        with Configured(side, "ValidatingWebhook", entry(side, matchPolicy=policy, rules=rule("autoscaling", ["v2"], "horizontalpodautoscalers"))):
            see(f"an older scaler, {policy}", side.post(f"/apis/autoscaling/v1/{SCALERS}?dryRun=All", scaler("v1", "older", targetCPUUtilizationPercentage=50)))
            see(f"a newer scaler, {policy}", side.post(f"/apis/autoscaling/v2/{SCALERS}?dryRun=All", scaler("v2", "newer")))
        with Configured(side, "ValidatingWebhook", entry(side, matchPolicy=policy, rules=rule("autoscaling", ["v1"], "horizontalpodautoscalers"))):
            see(f"a newer scaler for an older webhook, {policy}", side.post(f"/apis/autoscaling/v2/{SCALERS}?dryRun=All", scaler("v2", "newer")))
        with Configured(side, "ValidatingWebhook", entry(side, matchPolicy=policy, rules=rule("hooks.parity.example.com", ["v1"], "boxes", "boxes/status"))):
            box = {"apiVersion": "hooks.parity.example.com/v2", "kind": "Box", "metadata": {"name": f"box-{policy.lower()}"}, "spec": {"size": 3}}
            see(f"a box, {policy}", side.post(f"/apis/hooks.parity.example.com/v2/{BOXES}", box))
            see(f"a box's status, {policy}", side.patch(f"/apis/hooks.parity.example.com/v2/{BOXES}/box-{policy.lower()}/status", {"status": {"full": True}}))
    with Configured(side, "MutatingWebhook", entry(side, rules=rule("autoscaling", ["v1"], "horizontalpodautoscalers"))):
        side.webhook.answer = lambda request: patch({"op": "add", "path": "/spec/targetCPUUtilizationPercentage", "value": 33})
        see("a change in the older version", side.post(f"/apis/autoscaling/v2/{SCALERS}?dryRun=All", scaler("v2", "newer")))
        see("a change in the same version", side.post(f"/apis/autoscaling/v1/{SCALERS}?dryRun=All", scaler("v1", "older")))
    with Configured(side, "MutatingWebhook", entry(side, rules=rule("hooks.parity.example.com", ["v1"], "boxes"))):
        side.webhook.answer = lambda request: patch({"op": "add", "path": "/spec/color", "value": "red"})
        box = {"apiVersion": "hooks.parity.example.com/v2", "kind": "Box", "metadata": {"name": "box-changed"}, "spec": {"size": 3}}
        see("a change of a box", side.post(f"/apis/hooks.parity.example.com/v2/{BOXES}", box))
    return found


def webhooks_that_are_late(side):
    found = {}
    for policy in ("Fail", "Ignore"):
        for kind in ("ValidatingWebhook", "MutatingWebhook"):
            with Configured(side, kind, entry(side, failurePolicy=policy, timeoutSeconds=1)):
                side.webhook.answer = lambda request: time.sleep(3) or {"allowed": False}
                found[f"{kind}, {policy}"] = bare(side.post(f"{MAPS}?dryRun=All", config_map("late")))
                found[f"{kind}, {policy}, path"] = [one["path"] for one in side.webhook.asked()]
    return found


RESPONSES = {
    "another uid": {"uid": "x", "allowed": True},
    "another version": {"review": "admission.k8s.io/v1beta1", "allowed": True},
    "no response": {"raw": '{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1"}'},
    "no JSON": {"raw": "odd"},
    "a failure": {"status code": 500, "raw": "it broke"},
    "a missing page": {"status code": 404, "raw": "not here"},
    "denied": {"allowed": False},
    "denied with a message": {"allowed": False, "status": {"message": "not this one"}},
    "denied with a reason": {"allowed": False, "status": {"reason": "NotAcceptable", "code": 406}},
    "denied with success": {"allowed": False, "status": {"status": "Success", "code": 200, "message": "no", "details": {"kind": "x"}}},
    "denied with warnings": {"allowed": False, "warnings": ["first", "second"], "status": {"message": "no"}},
    "allowed with warnings": {"allowed": True, "warnings": ["seen"]},
    "a patch without a type": {"allowed": True, "patch": "W10="},
    "a type without a patch": {"allowed": True, "patchType": "JSONPatch"},
    "another type of patch": {"allowed": True, "patch": "W10=", "patchType": "Merge"},
    "a patch that is none": {"allowed": True, "patchType": "JSONPatch", "patch": base64.b64encode(b"{}").decode()},
    "an empty patch": {"allowed": True, "patchType": "JSONPatch", "patch": "W10="},
    "a patch that does not apply": patch({"op": "remove", "path": "/data/none"}),
    "a patch that tests": patch({"op": "test", "path": "/data/a", "value": "x"}),
    "a patch": patch({"op": "add", "path": "/data/more", "value": "yes"}),
    "a patch of the name": patch({"op": "replace", "path": "/metadata/name", "value": "other"}),
    "a patch of a wrong type": patch({"op": "add", "path": "/data/more", "value": 7}),
    "a patch of an unknown field": patch({"op": "add", "path": "/odd", "value": 7}),
}


def responses(side):
    found = {}
    for kind in ("ValidatingWebhook", "MutatingWebhook"):
        for policy in ("Fail", "Ignore"):
            with Configured(side, kind, entry(side, failurePolicy=policy)):
                for name, response in RESPONSES.items():
                    side.webhook.answer = lambda request, response=response: dict(response)
                    found[f"{kind}, {policy}: {name}"] = bare(side.post(f"{MAPS}?dryRun=All", config_map("response")))
    with Configured(side, "MutatingWebhook", entry(side)):
        side.post(MAPS, config_map("goes"))
        side.webhook.answer = lambda request: patch({"op": "add", "path": "/data/more", "value": "yes"})
        found["a patch of a deletion"] = bare(side.delete(f"{MAPS}/goes"))
    return found


def conditions_and_rules(side):
    found = {}
    conditions = {
        "true": "object.data.a == 'b'", "false": "object.data.a == 'c'", "no such key": "object.data.none == 'b'",
        "of the request": "request.operation == 'CREATE' && request.userInfo.username.startsWith('system:serviceaccount:')",
        "no truth": "object.data.a",
    }
    for name, expression in conditions.items():
        for policy in ("Fail", "Ignore"):
            hook = entry(side, failurePolicy=policy, matchConditions=[{"name": "it", "expression": expression}])
            try:
                with Configured(side, "ValidatingWebhook", hook):
                    answer = bare(side.post(f"{MAPS}?dryRun=All", config_map("condition")))
                    found[f"{name}, {policy}"] = {"answer": answer, "asked": len(side.webhook.asked())}
            except AssertionError as refused:
                found[f"{name}, {policy}"] = str(refused)[:20]
    for name, resources in {"all parts": ["configmaps/*"], "everything": ["*/*"], "all kinds": ["*"], "a part": ["configmaps/odd"]}.items():
        with Configured(side, "ValidatingWebhook", entry(side, rules=rule("", ["v1"], *resources))):
            side.post(f"{MAPS}?dryRun=All", config_map("ruled"))
            found[f"rule of {name}"] = len(side.webhook.asked())
    return found


CASES = [what_they_are_asked, other_versions, webhooks_that_are_late, responses, conditions_and_rules]


def definition():
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True, "properties": {"spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}, "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}}}
    version = lambda name, stored: {"name": name, "served": True, "storage": stored, "schema": schema, "subresources": {"status": {}}}
    names = {"plural": "boxes", "singular": "box", "kind": "Box"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": CRD},
        "spec": {"group": "hooks.parity.example.com", "names": names, "scope": "Namespaced", "versions": [version("v1", True), version("v2", False)]},
    }


def set_up(side, address, tls, bundle):
    side.begin()
    side.webhook, side.bundle = Webhook(address, tls), bundle
    side.post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition())
    until("resource of boxes", lambda: side.get(f"/apis/hooks.parity.example.com/v2/{BOXES}")["status"] == 200)


def main():
    pair, scratch = sides()
    address = os.environ.get("REAL_HOST_IP")
    if not address:
        print("skipped: set REAL_HOST_IP to an address of this machine that both API servers reach")
        return
    chosen = [case for case in CASES if len(sys.argv) == 1 or any(word in case.__name__ for word in sys.argv[1:])]
    listed, passed = Listed(HERE / "kubernetes-differences.toml"), 0
    names = [f"webhooks: {case.__name__.replace('_', ' ')}" for case in chosen]
    try:
        tls, bundle = certificate(scratch, address)
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda side: set_up(side, address, tls, bundle), pair))
            for case, name in zip(chosen, names):
                (ours, _), (theirs, _) = pool.map(lambda side, case=case: run_side(case, side), pair)
                passed += evaluate(name.replace(": ", " "), ours, theirs, listed) and "broken" not in ours
    finally:
        for side in pair:
            side.delete(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{CRD}")
            for kind in ("validating", "mutating"):
                side.delete(f"{CONFIGURATIONS}/{kind}webhookconfigurations/parity")
            side.end()
        shutil.rmtree(scratch, ignore_errors=True)
    close(passed, len(chosen) - passed, listed, {name.replace(": ", " ") for name in names})


if __name__ == "__main__":
    main()
