"""Parity cases: custom resources, those of the product among them, and aggregated APIs that are not there."""

import json
from pathlib import Path

from kubernetes_commands import plain
from kubernetes_requests import MAPS
from parity import HERE, NAMESPACE, until

PRODUCT = Path(HERE).parent.parent / "templates" / "kubernetes" / "crds.yaml"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
THINGS = f"/apis/parity.example.com/v1/namespaces/{NAMESPACE}/things"

SCHEMA = {
    "type": "object", "required": ["spec"],
    "properties": {
        "spec": {
            "type": "object", "required": ["size"],
            "properties": {
                "size": {"type": "integer", "minimum": 1, "maximum": 9, "multipleOf": 1},
                "mode": {"type": "string", "enum": ["fast", "slow"], "default": "fast"},
                "name": {"type": "string", "minLength": 2, "maxLength": 4, "pattern": "^[a-z]+$"},
                "when": {"type": "string", "format": "date-time"},
                "share": {"type": "number", "exclusiveMinimum": True, "minimum": 0},
                "either": {"x-kubernetes-int-or-string": True},
                "null": {"type": "string", "nullable": True},
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                "map": {"type": "object", "additionalProperties": {"type": "integer"}, "maxProperties": 2},
                "list": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 2, "uniqueItems": False},
                "set": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
                "keyed": {
                    "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["key"],
                    "items": {"type": "object", "required": ["key"], "properties": {"key": {"type": "string"}, "value": {"type": "string", "default": "none"}}},
                },
                "replicas": {"type": "integer", "default": 1},
                "deep": {"type": "object", "default": {}, "properties": {"a": {"type": "boolean", "default": True}}},
                "one": {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}, "oneOf": [{"required": ["a"]}, {"required": ["b"]}]},
            },
        },
        "status": {
            "type": "object",
            "properties": {
                "replicas": {"type": "integer"}, "selector": {"type": "string"},
                "conditions": {"type": "array", "items": {"type": "object", "properties": {"type": {"type": "string"}, "status": {"type": "string"}}}},
            },
        },
    },
}
COLUMNS = [
    {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
    {"name": "Mode", "type": "string", "jsonPath": ".spec.mode", "priority": 1, "description": "How."},
    {"name": "Ready", "type": "string", "jsonPath": '.status.conditions[?(@.type=="Ready")].status'},
    {"name": "List", "type": "string", "jsonPath": ".spec.list"},
    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
]


def definition(**version):
    held = {
        "name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": SCHEMA}, "additionalPrinterColumns": COLUMNS,
        "subresources": {"status": {}, "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas", "labelSelectorPath": ".status.selector"}},
        **version,
    }
    names = {"plural": "things", "singular": "thing", "kind": "Thing", "shortNames": ["th"], "categories": ["all"]}
    spec = {"group": "parity.example.com", "scope": "Namespaced", "names": names, "versions": [held]}
    return {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "things.parity.example.com"}, "spec": spec}


def thing(name, /, **spec):
    return {"apiVersion": "parity.example.com/v1", "kind": "Thing", "metadata": {"name": name}, "spec": {"size": 1, **spec}}


def a_definition(side):
    side.delete(f"{CRDS}/things.parity.example.com")
    until("end of the definition", lambda: side.get(f"{CRDS}/things.parity.example.com")["status"] == 404)
    made = side.post(CRDS, definition())
    def established():
        held = side.get(f"{CRDS}/things.parity.example.com")
        return held if any(one["type"] == "Established" and one["status"] == "True" for one in (held["body"].get("status", {}).get("conditions") or [])) else None
    held = until("established definition", established)
    until("served resource", lambda: side.get(THINGS)["status"] == 200)
    for answer in (made, held):
        answer["body"]["metadata"].pop("managedFields", None)
    made["body"].pop("status", None)
    return {"create": made, "established": held, "resources": side.get("/apis/parity.example.com/v1"), "group": side.get("/apis/parity.example.com")}


def refused_definitions(side):
    base = definition()
    def post(change, **version):
        body = json.loads(json.dumps({**definition(**version), "metadata": {"name": "others.parity.example.com"}}))
        body["spec"]["names"].update({"plural": "others", "singular": "other", "kind": "Other", "shortNames": []})
        change(body)
        return side.post(f"{CRDS}?dryRun=All", body)
    same = lambda body: None
    schema = lambda value: {"schema": {"openAPIV3Schema": value}}
    return {
        "another name": post(lambda body: body["metadata"].update(name="x.parity.example.com")),
        "no versions": post(lambda body: body["spec"].update(versions=[])),
        "no storage version": post(same, storage=False),
        "no schema": post(lambda body: body["spec"]["versions"][0].pop("schema")),
        "an odd scope": post(lambda body: body["spec"].update(scope="Odd")),
        "no type": post(same, **schema({"properties": {"spec": {}}})),
        "an unknown type": post(same, **schema({"type": "odd"})),
        "a bad default": post(same, **schema({"type": "object", "properties": {"spec": {"type": "object", "properties": {"a": {"type": "integer", "default": "x"}}}}})),
        "a column without a path": post(same, additionalPrinterColumns=[{"name": "a", "type": "odd", "jsonPath": ""}]),
        "a scale without its paths": post(same, subresources={"scale": {"specReplicasPath": "x", "statusReplicasPath": ""}}),
        "the same again": side.post(CRDS, base),
    }


def defaults_and_pruning(side):
    made = side.post(THINGS, thing("full", odd=1, free={"any": {"thing": 1}}, either="5%", keyed=[{"key": "a", "odd": 1}], null=None))
    return {
        "made": made,
        "strict": side.post(f"{THINGS}?fieldValidation=Strict", thing("x", odd=1, keyed=[{"key": "a", "odd": 1}])),
        "warned": side.post(f"{THINGS}?fieldValidation=Warn&dryRun=All", thing("x", odd=1)),
        "top-level fields": side.post(f"{THINGS}?fieldValidation=Warn&dryRun=All", {**thing("x"), "odd": 1, "metadata": {"name": "x", "odd": 1}}),
        "read again": side.get(f"{THINGS}/full"),
    }


def in_any_order(refusal):
    """Fields are validated in the order of a Go map."""
    refusal["body"]["details"]["causes"].sort(key=lambda cause: cause["field"])
    refusal["body"]["message"] = sorted(refusal["body"]["message"])
    return refusal


def structural_validation(side):
    def post(**spec):
        return side.post(f"{THINGS}?dryRun=All", thing("x", **spec))
    return {
        "no spec": side.post(THINGS, {"apiVersion": "parity.example.com/v1", "kind": "Thing", "metadata": {"name": "x"}}),
        "no size": side.post(THINGS, {"apiVersion": "parity.example.com/v1", "kind": "Thing", "metadata": {"name": "x"}, "spec": {}}),
        "too small": post(size=0), "too large": post(size=10), "a text": post(size="1"), "a fraction": post(size=1.5),
        "null": post(size=None), "not in the enumeration": post(mode="odd"), "too short": post(name="a"), "too long": post(name="abcde"),
        "no match": post(name="AB"), "no time": post(when="x"), "not above": post(share=0), "a list for either": post(either=[]),
        "an odd value in a map": post(map={"a": "x"}), "too many keys": post(map={"a": 1, "b": 2, "c": 3}),
        "too few items": post(list=[]), "too many items": post(list=["a", "b", "c"]), "an odd item": post(list=["a", 1]),
        "twice in a set": post(set=["a", "a"]), "twice a key": post(keyed=[{"key": "a"}, {"key": "a"}]), "no key": post(keyed=[{"value": "a"}]),
        "a text for an object": post(free="x"), "neither of one": post(one={}), "both of one": post(one={"a": "1", "b": "1"}),
        "many mistakes": in_any_order(post(size=0, mode="odd", list=[])), "a bad name": side.post(THINGS, thing("X_")),
        "a text for spec": side.post(THINGS, {**thing("x"), "spec": "x"}),
    }


def the_status_of_a_custom_resource(side):
    side.post(THINGS, thing("state"))
    one = f"{THINGS}/state"
    return {
        "status by the main resource": side.patch(one, {"status": {"replicas": 7}}),
        "spec by the status": side.patch(f"{one}/status", {"spec": {"size": 9}, "status": {"replicas": 1, "selector": "a=b", "conditions": [{"type": "Ready", "status": "True"}]}}),
        "labels by the status": side.patch(f"{one}/status", {"metadata": {"labels": {"a": "b"}}}),
        "an invalid status": side.patch(f"{one}/status", {"status": {"replicas": "x"}}),
        "a new generation": side.patch(one, {"spec": {"size": 2}}),
        "no new generation": side.patch(one, {"metadata": {"labels": {"c": "d"}}}),
        "scale": side.get(f"{one}/scale"),
        "scaled": side.patch(f"{one}/scale", {"spec": {"replicas": 4}}),
        "scaled below zero": side.patch(f"{one}/scale", {"spec": {"replicas": -4}}),
        "status of nothing": side.get(f"{THINGS}/none/status"),
    }


def patches_of_custom_resources(side):
    side.post(THINGS, thing("patched", keyed=[{"key": "a", "value": "1"}]))
    one = f"{THINGS}/patched"
    apply = lambda manager, **spec: side.patch(f"{one}?fieldManager={manager}", json.dumps({"apiVersion": "parity.example.com/v1", "kind": "Thing", "metadata": {"name": "patched"}, "spec": spec}), "apply")
    return {
        "merge": side.patch(one, {"spec": {"mode": "slow", "keyed": [{"key": "b"}]}}),
        "json": side.patch(one, [{"op": "replace", "path": "/spec/size", "value": 3}], "json"),
        "strategic": side.patch(one, {"spec": {"size": 2}}, "strategic"),
        "apply an item": apply("one", size=3, keyed=[{"key": "c", "value": "2"}]),
        "apply a conflict": apply("one", size=4),
        "apply to a set": apply("two", size=3, set=["x"]),
        "apply to the set too": apply("three", size=3, set=["y"]),
        "an invalid outcome": side.patch(one, {"spec": {"size": 99}}),
        "an unknown field": side.patch(f"{one}?fieldValidation=Strict", {"spec": {"odd": 99}}),
    }


def tables_of_custom_resources(side):
    side.post(THINGS, thing("table", list=["a", "b"]))
    side.patch(f"{THINGS}/table/status", {"status": {"conditions": [{"type": "Other", "status": "False"}, {"type": "Ready", "status": "True"}]}})
    table = side.get(f"{THINGS}?fieldSelector=metadata.name%3Dtable", accept="application/json;as=Table;v=v1;g=meta.k8s.io")
    for row in table["body"]["rows"]:
        row.pop("object")
        row["cells"][-1] = "<age>"
    return table


def the_definitions_of_the_product(side):
    documents = PRODUCT.read_text()
    # They are taken away afterwards, and with them everything that somebody else may have made of them.
    there = side.kubectl("get", "-f", "-", "--ignore-not-found", "-o", "name", stdin=documents)["out"]
    assert not there, f"the product is installed on this side, and its objects would go: {there}"
    applied = side.kubectl("apply", "--server-side", "-f", "-", stdin=documents)
    side.kubectl("wait", "--for=condition=Established", "-f", "-", stdin=documents)
    base = f"/apis/keda.sh/v1alpha1/namespaces/{NAMESPACE}/scaledobjects"
    until("served resource", lambda: side.get(base)["status"] == 200)
    def scaled(**spec):
        return {"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": {"name": "x"}, "spec": spec}
    good = {"scaleTargetRef": {"name": "web"}, "triggers": [{"type": "aws-sqs-queue", "metadata": {"queueURL": "q", "queueLength": "3"}}]}
    resources = side.get("/apis/keda.sh/v1alpha1")
    resources["body"]["resources"].sort(key=lambda one: one["name"])  # a Go map's order again
    found = {
        "applied": applied,
        "definitions": [side.get(f"{CRDS}/{plural}.keda.sh")["body"]["status"] for plural in ("scaledobjects", "triggerauthentications", "clustertriggerauthentications")],
        "resources": resources,
        "good": side.post(base, scaled(**good)),
        "empty": in_any_order(side.post(base, {**scaled(), "metadata": {"name": "y"}})),
        "wrong types": in_any_order(side.post(base, {**scaled(**{**good, "pollingInterval": "x", "minReplicaCount": "1"}), "metadata": {"name": "y"}})),
        "a number in a trigger": side.post(base, {**scaled(scaleTargetRef={"name": "web"}, triggers=[{"type": "x", "metadata": {"a": 1}}]), "metadata": {"name": "y"}}),
        "an unknown field": side.post(f"{base}?fieldValidation=Strict", {**scaled(**good, odd=1), "metadata": {"name": "y"}}),
        "a status": side.patch(f"{base}/x/status", {"status": {"conditions": [{"type": "Ready", "status": "True", "reason": "a", "message": "b"}]}}),
        "get": plain(side.kubectl("get", "scaledobject", "--no-headers=false")),
        "get -o wide": plain(side.kubectl("get", "so", "-o", "wide")),
        "explain": side.kubectl("explain", "scaledobject.spec.triggers"),
    }
    side.kubectl("delete", "-f", "-", stdin=documents)
    return found


def an_external_metric_that_nobody_serves(side):
    return {
        "group": side.get("/apis/external.metrics.k8s.io"),
        "version": side.get("/apis/external.metrics.k8s.io/v1beta1"),
        "metric": side.get(f"/apis/external.metrics.k8s.io/v1beta1/namespaces/{NAMESPACE}/queue"),
        "kubectl": side.kubectl("get", "--raw", f"/apis/external.metrics.k8s.io/v1beta1/namespaces/{NAMESPACE}/queue"),
    }


def an_aggregated_api_whose_server_is_missing(side):
    base = "/apis/apiregistration.k8s.io/v1/apiservices"
    spec = {"group": "gone.example.com", "version": "v1", "groupPriorityMinimum": 100, "versionPriority": 10, "insecureSkipTLSVerify": True, "service": {"namespace": NAMESPACE, "name": "gone"}}
    made = side.post(base, {"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": {"name": "v1.gone.example.com"}, "spec": spec})
    made["body"].pop("status", None)
    def unavailable():
        held = side.get(f"{base}/v1.gone.example.com")
        return held if any(one["status"] == "False" for one in (held["body"].get("status", {}).get("conditions") or [])) else None
    state = until("answer", unavailable)
    state["body"]["metadata"].pop("managedFields", None)
    found = {
        "create": made, "state": state,
        "its resources": side.get("/apis/gone.example.com/v1/things"),
        "its version": side.get("/apis/gone.example.com/v1"),
        "row": [line.split()[1:4] for line in side.kubectl("get", "apiservice", "v1.gone.example.com")["out"].splitlines()],
        "a local one": {**side.get(f"{base}/v1.apps")["body"], "metadata": None},
    }
    side.delete(f"{base}/v1.gone.example.com")
    return found


def the_end_of_a_definition(side):
    side.patch(f"{THINGS}/full", {"metadata": {"finalizers": ["example.com/hold"]}})
    answer = side.delete(f"{CRDS}/things.parity.example.com")
    answer["body"]["metadata"].pop("managedFields", None)
    def terminating():
        held = side.get(f"{CRDS}/things.parity.example.com")["body"]
        # Pending is what the deletion itself writes; the finalizer's controller follows at its own pace.
        return [one for one in held["status"]["conditions"] if one["type"] == "Terminating" and one["reason"] != "InstanceDeletionPending"]
    found = {"answer": answer, "condition": until("condition", terminating), "no new ones": side.post(THINGS, thing("late"))}
    side.patch(f"{THINGS}/full", {"metadata": {"finalizers": None}})
    until("end", lambda: side.get(f"{CRDS}/things.parity.example.com")["status"] == 404)
    until("no resource", lambda: side.get(THINGS)["status"] == 404)
    return {**found, "list": side.get(THINGS), "unrelated": side.get(f"{MAPS}/none")}


CASES = [
    a_definition, refused_definitions, defaults_and_pruning, structural_validation, the_status_of_a_custom_resource,
    patches_of_custom_resources, tables_of_custom_resources, the_definitions_of_the_product, an_external_metric_that_nobody_serves,
    an_aggregated_api_whose_server_is_missing, the_end_of_a_definition,
]
