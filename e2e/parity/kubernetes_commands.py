"""Parity cases: what stock kubectl shows: tables, descriptions, rollouts, applies."""

import json
import re

from kubernetes_requests import DEPLOYMENTS, config_map, deployment
from parity import NAMESPACE, until

IMAGE = "example.com/none:1"
AGE = re.compile(r"(?<=\s)(<invalid>|\d+(y|d|h|m|s|ms)(\d+[hms])?)(?=\s|$)")
HASH = re.compile(r"-[a-z0-9]{8,10}(?=[\s,:)]|$)|(?<=pod-template-hash=)[a-z0-9]+|(?<=kube-api-access)-[a-z0-9]{5}\b")
VERSION = re.compile(r"(?<=Resource Version:)\s+\d+")


def plain(result):
    """Ages, hashes and the widths of columns that follow from them are not compared."""
    lines = [VERSION.sub(" <version>", HASH.sub("-<hash>", AGE.sub("<age>", line))) for line in result["out"].splitlines()]
    lines = [" ".join(line.split()) for line in lines]
    return {**result, "out": lines}


def objects(side):
    """One object of each kind that has a table of its own, none of which starts a container."""
    template = {"metadata": {"labels": {"app": "shown"}}, "spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": IMAGE}]}}
    held = [
        config_map("shown", {"a": "two words"}),
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "shown"}, "stringData": {"a": "b"}},
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "shown"}},
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "shown"}, "spec": {"selector": {"app": "shown"}, "ports": [{"name": "http", "port": 80, "targetPort": 8080}]}},
        deployment("shown"),
        {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "shown"}, "spec": {"suspend": True, "template": template}},
        {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "shown"}, "spec": {"schedule": "0 0 1 1 *", "suspend": True, "jobTemplate": {"spec": {"template": template}}}},
        {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "shown"}, "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "none"}}}},
        {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "shown"}, "spec": {"holderIdentity": "somebody"}},
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "shown"}, "rules": [{"apiGroups": [""], "resources": ["pods", "pods/log"], "verbs": ["get", "list"]}, {"apiGroups": ["apps"], "resources": ["deployments"], "resourceNames": ["x"], "verbs": ["*"]}]},
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "shown"}, "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "shown"}, "subjects": [{"kind": "ServiceAccount", "name": "shown", "namespace": NAMESPACE}, {"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "somebody"}]},
        {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "shown"}, "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shown"}, "minReplicas": 1, "maxReplicas": 3, "metrics": [{"type": "External", "external": {"metric": {"name": "queue"}, "target": {"type": "AverageValue", "averageValue": "3"}}}]}},
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "shown", "labels": {"app": "alone"}}, "spec": {"schedulerName": "nobody", "containers": [{"name": "main", "image": IMAGE, "env": [{"name": "A", "value": "1"}], "resources": {"requests": {"cpu": "250m", "memory": "64Mi"}}}]}},
    ]
    for one in held:
        plural = one["kind"].lower() + "s"
        base = f"/{'apis' if '/' in one['apiVersion'] else 'api'}/{one['apiVersion']}/namespaces/{NAMESPACE}/{plural}"
        side.patch(f"{base}/{one['metadata']['name']}?fieldManager=kubectl", json.dumps(one), "apply")
    until("observed deployment", lambda: side.get(f"{DEPLOYMENTS}/shown")["body"].get("status", {}).get("observedGeneration"))
    scaler = f"/apis/autoscaling/v2/namespaces/{NAMESPACE}/horizontalpodautoscalers/shown"
    until("looked-at autoscaler", lambda: side.get(scaler)["body"].get("status", {}).get("conditions"))


KINDS = "configmap secret serviceaccount service deployment job cronjob pdb lease role rolebinding hpa pod".split()


def tables_of_get(side):
    objects(side)
    found = {}
    for kind in KINDS:
        found[kind] = plain(side.kubectl("get", kind, "shown"))
        found[f"{kind} -o wide"] = plain(side.kubectl("get", kind, "shown", "-o", "wide"))
    found["replicaset"] = plain(side.kubectl("get", "replicaset", "-l", "app=shown", "-o", "wide"))
    found["namespace"] = plain(side.kubectl("get", "namespace", NAMESPACE))
    found["several kinds"] = plain(side.kubectl("get", "configmap/shown", "secret/shown"))
    found["labels"] = plain(side.kubectl("get", "deployment", "shown", "--show-labels", "-L", "app"))
    found["nothing"] = side.kubectl("get", "statefulset")
    return found


def names_and_paths_of_get(side):
    objects(side)
    return {
        "names": side.kubectl("get", "configmap,secret", "-o", "name", "--field-selector", "metadata.name=shown"),
        "jsonpath": side.kubectl("get", "deployment", "shown", "-o", "jsonpath={.spec.strategy}"),
        "columns": side.kubectl("get", "role", "shown", "-o", "custom-columns=NAME:.metadata.name,VERBS:.rules[*].verbs"),
        "not found": side.kubectl("get", "configmap", "none"),
        "unknown kind": side.kubectl("get", "nothings"),
    }


def descriptions(side):
    objects(side)
    return {kind: plain(side.kubectl("describe", "--show-events=false", kind, "shown")) for kind in KINDS}


def rollouts(side):
    name = "rolled"
    side.post(DEPLOYMENTS, deployment(name))
    revision = lambda: side.get(f"{DEPLOYMENTS}/{name}")["body"]["metadata"].get("annotations", {}).get("deployment.kubernetes.io/revision")
    until("first revision", lambda: revision() == "1")
    first = side.kubectl("rollout", "status", f"deployment/{name}", "--timeout=20s")
    image = side.kubectl("set", "image", f"deployment/{name}", "main=example.com/none:2")
    until("second revision", lambda: revision() == "2")
    found = {
        "status": first, "set image": image,
        "history": side.kubectl("rollout", "history", f"deployment/{name}"),
        "one revision": plain(side.kubectl("rollout", "history", f"deployment/{name}", "--revision=1")),
        "a revision that is not there": side.kubectl("rollout", "history", f"deployment/{name}", "--revision=9"),
        "pause": side.kubectl("rollout", "pause", f"deployment/{name}"),
        "pause again": side.kubectl("rollout", "pause", f"deployment/{name}"),
        "undo while paused": side.kubectl("rollout", "undo", f"deployment/{name}"),
        "resume": side.kubectl("rollout", "resume", f"deployment/{name}"),
        "undo": side.kubectl("rollout", "undo", f"deployment/{name}"),
        "undo to nowhere": side.kubectl("rollout", "undo", f"deployment/{name}", "--to-revision=99"),
    }
    until("third revision", lambda: revision() == "3")
    found["history of three"] = side.kubectl("rollout", "history", f"deployment/{name}")
    found["restart"] = side.kubectl("rollout", "restart", f"deployment/{name}")
    until("fourth revision", lambda: revision() == "4")
    found["scale with a wrong precondition"] = side.kubectl("scale", f"deployment/{name}", "--replicas=1", "--current-replicas=7")
    found["of a kind without"] = side.kubectl("rollout", "status", "configmap/shown")
    return found


def logs_of_nothing(side):
    objects(side)
    return {
        "no pod": side.kubectl("logs", "none"),
        "a pod that nobody scheduled": side.kubectl("logs", "shown"),
        "a container that is not there": side.kubectl("logs", "shown", "-c", "other"),
        "a bad tail": side.get(f"/api/v1/namespaces/{NAMESPACE}/pods/shown/log?tailLines=-1"),
        "a bad limit": side.get(f"/api/v1/namespaces/{NAMESPACE}/pods/shown/log?limitBytes=0"),
        "two beginnings": side.get(f"/api/v1/namespaces/{NAMESPACE}/pods/shown/log?sinceSeconds=1&sinceTime=2026-01-01T00:00:00Z"),
    }


CASES = [tables_of_get, names_and_paths_of_get, descriptions, rollouts, logs_of_nothing]
