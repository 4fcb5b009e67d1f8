"""Parity cases: how objects end: finalizers, owners, namespaces."""

from kubernetes_requests import MAPS, config_map
from parity import NAMESPACE, until


def finalizers(side):
    side.post(MAPS, config_map("held", finalizers=["example.com/hold"]))
    one = f"{MAPS}/held"
    return {
        "delete": side.delete(one),
        "delete again": side.delete(one),
        "get": side.get(one),
        "one more": side.patch(one, {"metadata": {"finalizers": ["example.com/hold", "example.com/more"]}}),
        "data may change": side.patch(one, {"data": {"a": "2"}}),
        "create in its place": side.post(MAPS, config_map("held")),
        "without its finalizer": side.patch(one, {"metadata": {"finalizers": None}}),
        "gone": side.get(one),
    }


def owned(side, name, **owner):
    uid = side.get(f"{MAPS}/{name}")["body"]["metadata"]["uid"]
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": name, "uid": uid, **owner}
    return side.post(MAPS, config_map(f"{name}-dependent", ownerReferences=[reference]))


def gone(side, name):
    return until(f"end of {name}", lambda: side.get(f"{MAPS}/{name}")["status"] == 404)


def deletion_in_the_background(side):
    side.post(MAPS, config_map("back"))
    owned(side, "back")
    return {
        "answer": side.delete(f"{MAPS}/back", {"propagationPolicy": "Background"}),
        "owner": side.get(f"{MAPS}/back")["status"],
        "dependent goes": gone(side, "back-dependent"),
    }


def deletion_in_the_foreground(side):
    side.post(MAPS, config_map("fore"))
    owned(side, "fore", blockOwnerDeletion=True)
    side.patch(f"{MAPS}/fore-dependent", {"metadata": {"finalizers": ["example.com/hold"]}})
    answer = side.delete(f"{MAPS}/fore", {"propagationPolicy": "Foreground"})
    deleted = lambda: side.get(f"{MAPS}/fore-dependent")["body"]["metadata"].get("deletionTimestamp")
    until("deletion of the dependent", deleted)
    found = {"answer": answer, "the owner waits": side.get(f"{MAPS}/fore"), "its dependent": side.get(f"{MAPS}/fore-dependent")}
    side.patch(f"{MAPS}/fore-dependent", {"metadata": {"finalizers": None}})
    return {**found, "the owner goes": gone(side, "fore")}


def deletion_that_orphans(side):
    side.post(MAPS, config_map("orphan"))
    owned(side, "orphan")
    answer = side.delete(f"{MAPS}/orphan", {"propagationPolicy": "Orphan"})
    gone(side, "orphan")
    left = side.get(f"{MAPS}/orphan-dependent")
    left["body"]["metadata"].pop("managedFields")
    return {"answer": answer, "dependent": left, "an odd policy": side.delete(f"{MAPS}/orphan-dependent", {"propagationPolicy": "Odd"})}


def owners_that_are_not_there(side):
    uid = "11111111-1111-1111-1111-111111111111"
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "nobody", "uid": uid}
    side.post(MAPS, config_map("lost", ownerReferences=[reference]))
    side.post(MAPS, config_map("first"))
    held = side.get(f"{MAPS}/first")["body"]["metadata"]["uid"]
    two = [reference, {**reference, "name": "first", "uid": held}]
    side.post(MAPS, config_map("half", ownerReferences=two))
    until("one owner", lambda: len(side.get(f"{MAPS}/half")["body"]["metadata"]["ownerReferences"]) == 1)
    return {"without any": gone(side, "lost"), "with one of two": side.get(f"{MAPS}/half")["body"]["metadata"]["ownerReferences"]}


def the_end_of_a_namespace(side):
    name = "parity-ends"
    inside = f"/api/v1/namespaces/{name}/configmaps"
    side.post("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    until("ConfigMap", lambda: side.get(f"{inside}/kube-root-ca.crt")["status"] == 200)
    side.post(inside, config_map("held", finalizers=["example.com/hold"]))
    answer = side.delete(f"/api/v1/namespaces/{name}")
    def conditions():
        held = side.get(f"/api/v1/namespaces/{name}")["body"].get("status", {}).get("conditions", [])
        return held if any(one["type"] == "NamespaceFinalizersRemaining" and one["status"] == "True" for one in held) else None
    found = {
        "answer": answer,
        "conditions": until("conditions", conditions),
        "nothing new": side.post(inside, config_map("late")),
        "delete again": side.delete(f"/api/v1/namespaces/{name}"),
    }
    # Who comes first depends on whether the controller needed a second.
    found["delete again"]["body"]["metadata"]["managedFields"].sort(key=lambda entry: entry["manager"])
    side.patch(f"{inside}/held", {"metadata": {"finalizers": None}})
    until("end", lambda: side.get(f"/api/v1/namespaces/{name}")["status"] == 404)
    return {**found, "afterwards": side.get(f"/api/v1/namespaces/{name}"), "what may not go": side.delete("/api/v1/namespaces/default")}


CASES = [
    finalizers, deletion_in_the_background, deletion_in_the_foreground, deletion_that_orphans, owners_that_are_not_there,
    the_end_of_a_namespace,
]
