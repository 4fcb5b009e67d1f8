"""Parity cases: what is reported of containers that run. Needs an image with /bin/sh on both sides."""

import os

from parity import NAMESPACE, until

PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"


def pod(side, name, script, **spec):
    container = {"name": "main", "image": os.environ["SLUICE_PARITY_POD_IMAGE"], "imagePullPolicy": "IfNotPresent", "command": ["/bin/sh", "-c", script]}
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}}, "spec": {"terminationGracePeriodSeconds": 1, "containers": [container], **spec}}
    assert side.post(PODS, body)["status"] == 201


def state_of(side, name):
    statuses = side.get(f"{PODS}/{name}")["body"].get("status", {}).get("containerStatuses") or [{}]
    return statuses[0]


def logs(side):
    # Two streams have an order only if there is time between them.
    pod(side, "talker", "echo one; sleep 0.3; echo two >&2; sleep 0.3; echo three; exec sleep 600")
    until("output", lambda: "three" in side.kubectl("logs", "talker")["out"])
    stamped = side.kubectl("logs", "talker", "--timestamps")
    stamped["out"] = [line.split(" ", 1)[1] for line in stamped["out"].splitlines()]
    return {
        "all": side.kubectl("logs", "talker"),
        "the last": side.kubectl("logs", "talker", "--tail=1"),
        "some bytes": side.kubectl("logs", "talker", "--limit-bytes=5"),
        "stamped": stamped,
        "the one before": side.kubectl("logs", "talker", "--previous"),
        "another container": side.kubectl("logs", "talker", "-c", "other"),
        "raw": side.get(f"{PODS}/talker/log"),
    }


def ends_of_containers(side):
    pod(side, "good", "exit 0", restartPolicy="Never")
    pod(side, "bad", "exit 3", restartPolicy="Never")
    phase = lambda name: side.get(f"{PODS}/{name}")["body"].get("status", {}).get("phase")
    until("good end", lambda: phase("good") == "Succeeded")
    until("bad end", lambda: phase("bad") == "Failed")
    conditions = lambda name: sorted((one["type"], one["status"], one.get("reason")) for one in side.get(f"{PODS}/{name}")["body"]["status"]["conditions"])
    return {name: {"state": state_of(side, name).get("state"), "conditions": conditions(name)} for name in ("good", "bad")}


def budgets_of_a_pod_that_nobody_controls(side):
    path = f"/apis/policy/v1/namespaces/{NAMESPACE}/poddisruptionbudgets"
    pod(side, "alone", "exec sleep 600")
    until("readiness", lambda: state_of(side, "alone").get("ready"))
    found = {}
    for name, spec in (("most", {"maxUnavailable": 1}), ("share", {"minAvailable": "50%"}), ("least", {"minAvailable": 1})):
        spec["selector"] = {"matchLabels": {"app": "alone"}}
        side.post(path, {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": name}, "spec": spec})
        status = lambda: side.get(f"{path}/{name}")["body"].get("status", {})
        until(f"status of {name}", lambda: status().get("observedGeneration") == 1 and status().get("currentHealthy") == 1)
        found[name] = status()
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "alone"}}
        found[f"eviction under {name}"] = side.post(f"{PODS}/alone/eviction?dryRun=All", eviction)
        side.delete(f"{path}/{name}")
    return found


CASES = [logs, ends_of_containers, budgets_of_a_pod_that_nobody_controls]
