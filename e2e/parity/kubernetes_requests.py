"""Parity cases: single requests and what comes back: patches, conflicts, refusals, watches, lists."""

import json
import re
import time

from parity import NAMESPACE, until

MAPS = f"/api/v1/namespaces/{NAMESPACE}/configmaps"
DEPLOYMENTS = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments"
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"


def config_map(name, data=None, **metadata):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata}, "data": data or {"a": "1"}}


def deployment(name, containers=None, **spec):
    containers = containers or [{"name": "main", "image": "example.com/none:1"}]
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": containers}}
    spec = {"replicas": 0, "selector": {"matchLabels": {"app": name}}, "template": template, **spec}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def create_read_replace_delete(side):
    made = side.post(MAPS, config_map("simple"))
    held = made["body"]
    found = {
        "create": made,
        "create again": side.post(MAPS, config_map("simple")),
        "get": side.get(f"{MAPS}/simple"),
        "get none": side.get(f"{MAPS}/none"),
        "replace": side.put(f"{MAPS}/simple", {**held, "data": {"b": "2"}}),
        "replace with an old version": side.put(f"{MAPS}/simple", {**held, "data": {"b": "3"}}),
        "replace under another name": side.put(f"{MAPS}/other", held),
        "replace what is not there": side.put(f"{MAPS}/none", config_map("none")),
        "replace with another uid": side.put(f"{MAPS}/simple", config_map("simple", uid="11111111-1111-1111-1111-111111111111")),
        "replace unconditionally": side.put(f"{MAPS}/simple", config_map("simple", {"c": "3"})),
        "delete with a wrong uid": side.delete(f"{MAPS}/simple", {"preconditions": {"uid": "11111111-1111-1111-1111-111111111111"}}),
        "delete with a wrong version": side.delete(f"{MAPS}/simple", {"preconditions": {"resourceVersion": "1"}}),
        "delete": side.delete(f"{MAPS}/simple"),
        "delete again": side.delete(f"{MAPS}/simple"),
    }
    return found


def create_refusals(side):
    def post(body, path=MAPS, **options):
        answer = side.post(path, body, **options)
        if answer["status"] == 201:
            side.delete(f"{MAPS}/x")
        return answer

    return {
        "no body": post("", content="application/json"),
        "no JSON": post("{"),
        "JSON of another type": post("[]"),
        "no kind": post({"metadata": {"name": "x"}}),
        "no apiVersion": post({"kind": "ConfigMap", "metadata": {"name": "x"}}),
        "another kind": post({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}}),
        "an unknown kind": post({"apiVersion": "v1", "kind": "Nothing", "metadata": {"name": "x"}}),
        "another group": post({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x"}}),
        "no name": post({"apiVersion": "v1", "kind": "ConfigMap"}),
        "a bad name": post(config_map("X_")),
        "a long name": post(config_map("x" * 254)),
        "another namespace": post(config_map("x", namespace="other")),
        "a namespace that is not there": post(config_map("x"), "/api/v1/namespaces/none/configmaps"),
        "a resource version": post(config_map("x", resourceVersion="1")),
        # One at a time: Go goes through a map in no order.
        "a bad label key": post(config_map("x", labels={"a b": "c"})),
        "a bad label value": post(config_map("x", labels={"d": "e f"})),
        "a label without a key": post(config_map("x", labels={"": "x"})),
        "bad annotations": post(config_map("x", annotations={"a b": "c"})),
        "bad finalizers": post(config_map("x", finalizers=["nothing"])),
        "bad owners": post(config_map("x", ownerReferences=[{"apiVersion": "v1", "kind": "", "name": "", "uid": ""}])),
        "a bad key": post(config_map("x", {"a/b": "1"})),
        "a number for a text": post({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": {"a": 1}}),
        "a text for a map": post({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": "a"}),
        "an unknown media type": post("x", content="text/plain"),
        "YAML": post("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: yaml}\n", content="application/yaml"),
        "an unknown query": post(config_map("x"), f"{MAPS}?dryRun=Some"),
        "unknown fields, strict": post({**config_map("x"), "odd": 1, "metadata": {"name": "x", "odder": 2}}, f"{MAPS}?fieldValidation=Strict"),
        "unknown fields, warn": post({**config_map("x"), "odd": 1}, f"{MAPS}?fieldValidation=Warn&dryRun=All"),
        "unknown fields, ignored": post({**config_map("x"), "odd": 1}, f"{MAPS}?fieldValidation=Ignore&dryRun=All"),
        "duplicate fields, strict": post('{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"},"data":{"a":"1"},"data":{"a":"2"}}', f"{MAPS}?fieldValidation=Strict"),
        "a bad fieldValidation": post(config_map("x"), f"{MAPS}?fieldValidation=Odd"),
        "a bad field manager": post(config_map("x"), f"{MAPS}?fieldManager={'x' * 129}"),
        "a number for a name": post({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": 1}}),
    }


def json_patches(side):
    side.post(MAPS, config_map("json", {"a": "1", "b": "2"}))
    one = f"{MAPS}/json"
    patch = lambda *operations: side.patch(one, list(operations), "json")
    return {
        "add": patch({"op": "add", "path": "/data/c", "value": "3"}),
        "replace": patch({"op": "replace", "path": "/data/a", "value": "4"}),
        "remove": patch({"op": "remove", "path": "/data/b"}),
        "move": patch({"op": "move", "from": "/data/c", "path": "/data/d"}),
        "copy": patch({"op": "copy", "from": "/data/d", "path": "/data/e"}),
        "test that holds": patch({"op": "test", "path": "/data/a", "value": "4"}),
        "test that fails": patch({"op": "test", "path": "/data/a", "value": "5"}),
        "remove nothing": patch({"op": "remove", "path": "/data/z"}),
        "replace nothing": patch({"op": "replace", "path": "/data/z", "value": "1"}),
        "without it": patch({"op": "test", "path": "/data/a", "value": "4"}) and side.patch(one, {"data": {"z": None}})["status"],
        "an unknown operation": patch({"op": "odd", "path": "/data/a"}),
        "no list": side.patch(one, {"op": "add"}, "json"),
        "no JSON": side.patch(one, "{", "json"),
        "a wrong type": patch({"op": "add", "path": "/data/a", "value": 1}),
        "an escaped path": patch({"op": "add", "path": "/metadata/annotations", "value": {"a/b": "c"}}, {"op": "add", "path": "/metadata/annotations/a~1b", "value": "d"}),
        "an old version": patch({"op": "replace", "path": "/metadata/resourceVersion", "value": "1"}),
        "another name": patch({"op": "replace", "path": "/metadata/name", "value": "x"}),
        "nothing": patch(),
        "on nothing": side.patch(f"{MAPS}/none", [], "json"),
    }


def merge_patches(side):
    side.post(MAPS, config_map("merge", {"a": "1", "b": "2"}))
    one = f"{MAPS}/merge"
    return {
        "merge": side.patch(one, {"data": {"b": None, "c": "3"}}),
        "nothing": side.patch(one, {}),
        "a wrong type": side.patch(one, {"data": {"a": 1}}),
        "no JSON": side.patch(one, "{"),
        "a list": side.patch(one, []),
        "an old version": side.patch(one, {"metadata": {"resourceVersion": "1"}, "data": {"a": "9"}}),
        "an unknown field, strict": side.patch(f"{one}?fieldValidation=Strict", {"odd": 1}),
        "an unknown field, warn": side.patch(f"{one}?fieldValidation=Warn", {"odd": 1}),
        "immutable": [side.patch(one, {"immutable": True}), side.patch(one, {"data": {"a": "2"}}), side.patch(one, {"immutable": None})],
        "another uid": side.patch(one, {"metadata": {"uid": "11111111-1111-1111-1111-111111111111"}}),
        "dry run": side.patch(f"{one}?dryRun=All", {"metadata": {"labels": {"a": "b"}}}),
        "an unknown patch type": side.patch(one, {}, "application/odd"),
        "on nothing": side.patch(f"{MAPS}/none", {}),
    }


def strategic_patches(side):
    containers = [{"name": "a", "image": "a:1", "env": [{"name": "X", "value": "1"}], "ports": [{"containerPort": 80}]}, {"name": "b", "image": "b:1"}]
    side.post(DEPLOYMENTS, deployment("strategic", containers))
    one = f"{DEPLOYMENTS}/strategic"
    spec = lambda value: side.patch(one, {"spec": {"template": {"spec": value}}}, "strategic")
    kept = lambda answer: {**answer, "body": answer["body"].get("spec", answer["body"]) if isinstance(answer["body"], dict) else answer["body"]}
    return {name: kept(answer) for name, answer in {
        "merge by name": spec({"containers": [{"name": "b", "image": "b:2"}]}),
        "merge in depth": spec({"containers": [{"name": "a", "env": [{"name": "Y", "value": "2"}]}]}),
        "a new one comes first": spec({"containers": [{"name": "c", "image": "c:1"}]}),
        "delete by directive": spec({"containers": [{"name": "b", "$patch": "delete"}]}),
        "order by directive": spec({"$setElementOrder/containers": [{"name": "c"}, {"name": "a"}], "containers": [{"name": "a", "image": "a:3"}]}),
        "replace by directive": spec({"containers": [{"name": "d", "image": "d:1"}, {"$patch": "replace"}]}),
        "retain keys": side.patch(one, {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}, "strategic"),
        "delete from a primitive list": side.patch(one, {"metadata": {"finalizers": ["example.com/x"]}}, "strategic"),
        "and out": side.patch(one, {"metadata": {"$deleteFromPrimitiveList/finalizers": ["example.com/x"]}}, "strategic"),
        "no merge key": spec({"containers": [{"image": "x"}]}),
        "an odd directive": side.patch(one, {"spec": {"$patch": "odd"}}, "strategic"),
        "a wrong type": side.patch(one, {"spec": {"replicas": "x"}}, "strategic"),
        "an invalid outcome": side.patch(one, {"spec": {"replicas": -1}}, "strategic"),
    }.items()}


def server_side_apply(side):
    body = lambda data, **metadata: json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "applied", **metadata}, "data": data})
    one = f"{MAPS}/applied"
    apply = lambda data, query="fieldManager=one", **metadata: side.patch(f"{one}?{query}", body(data, **metadata), "apply")
    return {
        "no manager": side.patch(one, body({"a": "1"}), "apply"),
        "create": apply({"a": "1", "b": "1"}),
        "the same again": apply({"a": "1", "b": "1"}),
        "a conflict": apply({"a": "2"}, "fieldManager=two"),
        "two conflicts": apply({"a": "2", "b": "2"}, "fieldManager=two"),
        "shared, as the value is the same": apply({"a": "1"}, "fieldManager=two"),
        "forced": apply({"a": "2"}, "fieldManager=two&force=true"),
        "left out, so given up": apply({"b": "1"}),
        "left out, so removed": apply({"c": "1"}),
        "an update takes the field": side.patch(f"{one}?fieldManager=three", {"data": {"c": "9"}}),
        "which conflicts": apply({"c": "1"}),
        "force without apply": side.patch(f"{one}?force=true", {"data": {"c": "9"}}),
        "managed fields in the body": apply({"c": "1"}, managedFields=[{"manager": "x"}]),
        "an old version": apply({"c": "9"}, resourceVersion="1"),
        "an unknown field": side.patch(f"{one}?fieldManager=one&force=true", json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "odd": 1}), "apply"),
        "another name": side.patch(f"{one}?fieldManager=one", json.dumps(config_map("x")), "apply"),
        "another kind": side.patch(f"{one}?fieldManager=one", json.dumps({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "applied"}}), "apply"),
        "no YAML": side.patch(f"{one}?fieldManager=one", "{", "apply"),
        "the end": side.get(one),
    }


def apply_to_lists(side):
    one = f"{DEPLOYMENTS}/lists"
    def apply(manager, containers, **spec):
        body = deployment("lists", containers, **spec)
        answer = side.patch(f"{one}?fieldManager={manager}", json.dumps(body), "apply")
        value = answer["body"]
        # How far the controller has come by now is not what this is about.
        managed = [entry for entry in value["metadata"].get("managedFields", []) if entry["manager"] in ("one", "two")]
        managed.sort(key=lambda entry: entry["manager"])  # they are in the order of their times, to the second
        return {**answer, "body": {"spec": value.get("spec"), "managed": managed, "message": value.get("message"), "details": value.get("details")}}
    return {
        "create": apply("one", [{"name": "a", "image": "a:1", "env": [{"name": "X", "value": "1"}], "ports": [{"containerPort": 80}]}]),
        "another manager's item": apply("two", [{"name": "b", "image": "b:1"}]),
        "a conflict in an item": apply("two", [{"name": "a", "image": "a:2"}]),
        "the item goes with its manager": apply("two", [{"name": "c", "image": "c:1"}]),
        "the defaults are nobody's": apply("one", [{"name": "a", "image": "a:1"}], revisionHistoryLimit=3),
    }


def validation_of_deployments(side):
    post = lambda body: side.post(DEPLOYMENTS, body)
    def container(**fields):
        return deployment("x", [{"name": "main", "image": "x", **fields}])
    return {
        "an empty spec": post({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x"}, "spec": {}}),
        "no selector": post({**deployment("x"), "spec": {"template": deployment("x")["spec"]["template"]}}),
        "labels that do not match": post(deployment("x", selector={"matchLabels": {"app": "y"}})),
        "an empty selector": post(deployment("x", selector={})),
        "negative replicas": post(deployment("x", replicas=-1)),
        "a text for replicas": post(deployment("x", replicas="two")),
        "a fraction for replicas": post(deployment("x", replicas=1.5)),
        "an unknown strategy": post(deployment("x", strategy={"type": "Odd"})),
        "rolling numbers with Recreate": post(deployment("x", strategy={"type": "Recreate", "rollingUpdate": {"maxSurge": 1}})),
        "two zeros": post(deployment("x", strategy={"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}})),
        "a bad percentage": post(deployment("x", strategy={"rollingUpdate": {"maxSurge": "x%"}})),
        "no containers": post({**deployment("x"), "spec": {**deployment("x")["spec"], "template": {"metadata": {"labels": {"app": "x"}}, "spec": {"containers": []}}}}),
        "no image": post(deployment("x", [{"name": "main"}])),
        "no container name": post(deployment("x", [{"image": "x"}])),
        "two of a name": post(deployment("x", [{"name": "a", "image": "x"}, {"name": "a", "image": "x"}])),
        "a bad container name": post(deployment("x", [{"name": "A_", "image": "x"}])),
        "a bad port": post(container(ports=[{"containerPort": 0}, {"containerPort": 70000, "protocol": "ODD"}])),
        "a bad env": post(container(env=[{"name": "", "value": "x"}, {"name": "A", "value": "x", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}])),
        "a bad quantity": post(container(resources={"requests": {"cpu": "many"}})),
        "requests above limits": post(container(resources={"requests": {"cpu": "2"}, "limits": {"cpu": "1"}})),
        "an unknown resource": post(container(resources={"requests": {"odd": "1"}})),
        "a bad pull policy": post(container(imagePullPolicy="Odd")),
        "a bad probe": post(container(livenessProbe={"periodSeconds": -1})),
        "an unknown volume": post(container(volumeMounts=[{"name": "none", "mountPath": "/x"}])),
        "unknown field, strict": side.post(f"{DEPLOYMENTS}?fieldValidation=Strict", {**deployment("x"), "spec": {**deployment("x")["spec"], "odd": 1}}),
    }


def validation_of_pods(side):
    def pod(**spec):
        return side.post(f"{PODS}?dryRun=All", {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": {"containers": [{"name": "main", "image": "x"}], **spec}})
    return {
        "a bad restart policy": pod(restartPolicy="Odd"),
        "a bad DNS policy": pod(dnsPolicy="Odd"),
        "a negative grace": pod(terminationGracePeriodSeconds=-1),
        "a zero deadline": pod(activeDeadlineSeconds=0),
        "an unknown ServiceAccount": pod(serviceAccountName="none"),
        "two volumes of a name": pod(volumes=[{"name": "a", "emptyDir": {}}, {"name": "a", "emptyDir": {}}]),
        "a volume of two kinds": pod(volumes=[{"name": "a", "emptyDir": {}, "configMap": {"name": "x"}}]),
        "a bad node selector": pod(nodeSelector={"a b": "c"}),
        "an unknown priority class": pod(priorityClassName="none"),
        "a bad toleration": pod(tolerations=[{"operator": "Odd"}]),
        "a bad host name": pod(hostname="A_"),
    }


def validation_of_autoscalers(side):
    def scaler(**spec):
        body = {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "x"}, "maxReplicas": 3, **spec}
        return side.post(f"/apis/autoscaling/v2/namespaces/{NAMESPACE}/horizontalpodautoscalers?dryRun=All", {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "x"}, "spec": body})
    def external(**target):
        return scaler(metrics=[{"type": "External", "external": {"metric": {"name": "m"}, "target": target}}])
    def rules(**value):
        return scaler(behavior={"scaleUp": value})
    return {
        "defaults": scaler(),
        "defaults of behavior": scaler(behavior={}),
        "defaults of one direction": scaler(behavior={"scaleDown": {"stabilizationWindowSeconds": 7}}),
        "defaults beside policies": rules(policies=[{"type": "Pods", "value": 1, "periodSeconds": 5}]),
        "no maximum": scaler(maxReplicas=0),
        "minimum above maximum": scaler(minReplicas=4),
        "a negative minimum": scaler(minReplicas=-1),
        "zero without an external metric": scaler(minReplicas=0),
        "zero with one": scaler(minReplicas=0, metrics=[{"type": "External", "external": {"metric": {"name": "m"}, "target": {"type": "AverageValue", "averageValue": "3"}}}]),
        "no target": scaler(scaleTargetRef={"kind": "", "name": ""}),
        "an odd metric type": scaler(metrics=[{"type": "Odd"}]),
        "no metric source": scaler(metrics=[{"type": "External"}]),
        "two metric sources": scaler(metrics=[{"type": "External", "external": {"metric": {"name": "m"}, "target": {"type": "Value", "value": "1"}}, "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}]),
        "no metric name": scaler(metrics=[{"type": "External", "external": {"metric": {"name": ""}, "target": {"type": "Value", "value": "1"}}}]),
        "no metric target": external(type="Value"),
        "both metric targets": external(type="Value", value="1", averageValue="1"),
        "a negative metric target": external(type="AverageValue", averageValue="-1"),
        "an odd target type": external(type="Odd", value="1"),
        "a zero utilization": scaler(metrics=[{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 0}}}]),
        "a long window": rules(stabilizationWindowSeconds=3601),
        "an odd select policy": rules(selectPolicy="Odd"),
        "no policies": rules(policies=[]),
        "an odd policy": rules(policies=[{"type": "Odd", "value": 1, "periodSeconds": 1}]),
        "a policy of nothing": rules(policies=[{"type": "Pods", "value": 0, "periodSeconds": 0}]),
        "a long period": rules(policies=[{"type": "Pods", "value": 1, "periodSeconds": 1801}]),
        "a tolerance": rules(tolerance="5%"),
    }


def validation_of_other_kinds(side):
    base = f"/namespaces/{NAMESPACE}"
    made = lambda version, kind, plural, **fields: side.post(f"/{'api' if version == 'v1' else 'apis'}/{version}{base}/{plural}?dryRun=All", {"apiVersion": version, "kind": kind, "metadata": {"name": "x"}, **fields})
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "a", "image": "x"}]}}
    return {
        "a service without ports": made("v1", "Service", "services", spec={"selector": {"a": "b"}}),
        "a service with bad ports": made("v1", "Service", "services", spec={"ports": [{"port": 0}, {"port": 1, "protocol": "ODD"}]}),
        "two ports without names": made("v1", "Service", "services", spec={"ports": [{"port": 1}, {"port": 2}]}),
        "an odd service type": made("v1", "Service", "services", spec={"type": "Odd", "ports": [{"port": 1}]}),
        "a service": made("v1", "Service", "services", spec={"ports": [{"port": 1}]}),
        "a job": made("batch/v1", "Job", "jobs", spec={"template": template}),
        "a job that restarts always": made("batch/v1", "Job", "jobs", spec={"template": {"spec": {"containers": [{"name": "a", "image": "x"}]}}}),
        "a job with negative numbers": made("batch/v1", "Job", "jobs", spec={"parallelism": -1, "completions": -1, "backoffLimit": -1, "template": template}),
        "a secret of an odd key": made("v1", "Secret", "secrets", data={"a/b": "eA=="}),
        "a secret that is no base64": made("v1", "Secret", "secrets", data={"a": "!"}),
        "a TLS secret without its keys": made("v1", "Secret", "secrets", type="kubernetes.io/tls"),
        "a secret": made("v1", "Secret", "secrets", stringData={"a": "b"}),
        "a role binding without a role": made("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings"),
        "a role without verbs": made("rbac.authorization.k8s.io/v1", "Role", "roles", rules=[{"apiGroups": [""], "resources": ["pods"]}]),
        "a role with a path": made("rbac.authorization.k8s.io/v1", "Role", "roles", rules=[{"nonResourceURLs": ["/x"], "verbs": ["get"]}]),
        "subjects of odd kinds": made("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings", roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "x"}, subjects=[{"kind": "Odd", "name": "x"}, {"kind": "ServiceAccount", "name": "x"}, {"kind": "User", "name": ""}]),
        "a role binding": made("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings", roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "x"}, subjects=[{"kind": "ServiceAccount", "name": "x", "namespace": "y"}]),
        "a lease": made("coordination.k8s.io/v1", "Lease", "leases", spec={"holderIdentity": "a", "leaseDurationSeconds": 15, "renewTime": "2026-01-01T00:00:00.000000Z"}),
        "a lease of no duration": made("coordination.k8s.io/v1", "Lease", "leases", spec={"leaseDurationSeconds": 0, "leaseTransitions": -1}),
        "a budget": made("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets", spec={"minAvailable": 1, "selector": {"matchLabels": {"a": "b"}}}),
        "a budget of both": made("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets", spec={"minAvailable": 1, "maxUnavailable": 1}),
        "a namespace in capitals": side.post("/api/v1/namespaces?dryRun=All", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "A"}}),
        "a namespace": side.post("/api/v1/namespaces?dryRun=All", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "parity-dry"}}),
        "an APIService of another name": side.post("/apis/apiregistration.k8s.io/v1/apiservices?dryRun=All", {"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": {"name": "x"}, "spec": {"group": "g.example.com", "version": "v1", "groupPriorityMinimum": 1, "versionPriority": 1}}),
        "an APIService without priorities": side.post("/apis/apiregistration.k8s.io/v1/apiservices?dryRun=All", {"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": {"name": "v1.g.example.com"}, "spec": {"group": "g.example.com", "version": "v1"}}),
    }


def updates_that_are_refused(side):
    side.post(DEPLOYMENTS, deployment("fixed"))
    base = f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs"
    side.post(base, {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "fixed"}, "spec": {"suspend": True, "template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "a", "image": "x"}]}}}})
    bindings = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{NAMESPACE}/rolebindings"
    side.post(bindings, {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "fixed"}, "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "x"}})
    secrets = f"/api/v1/namespaces/{NAMESPACE}/secrets"
    side.post(secrets, {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "fixed"}, "stringData": {"a": "b"}})
    return {
        "a selector": side.patch(f"{DEPLOYMENTS}/fixed", {"spec": {"selector": {"matchLabels": {"x": "y"}}}}),
        "a job's completions": side.patch(f"{base}/fixed", {"spec": {"completions": 5}}),
        "a job's selector": side.patch(f"{base}/fixed", {"spec": {"manualSelector": True, "selector": {"matchLabels": {"x": "y"}}}}),
        "a role binding's role": side.patch(f"{bindings}/fixed", {"roleRef": {"name": "y"}}),
        "a secret's type": side.patch(f"{secrets}/fixed", {"type": "odd"}),
        "status by the main resource": side.patch(f"{DEPLOYMENTS}/fixed", {"status": {"replicas": 7}})["body"].get("status"),
        "generation by the user": side.patch(f"{DEPLOYMENTS}/fixed", {"metadata": {"generation": 77}})["body"]["metadata"].get("generation"),
    }


def lists(side):
    for name in ("list-a", "list-b", "list-c"):
        side.post(MAPS, config_map(name, labels={"list": name[-1]}))
    selected = "labelSelector=list"
    first = side.get(f"{MAPS}?{selected}&limit=2")
    token = first["body"]["metadata"].get("continue", "")
    found = {
        "all": side.get(f"{MAPS}?{selected}"),
        "two": first,
        "the rest": side.get(f"{MAPS}?{selected}&limit=2&continue={token}"),
        "a bad continue": side.get(f"{MAPS}?continue=odd"),
        "a bad limit": side.get(f"{MAPS}?limit=odd"),
        "a bad label selector": side.get(f"{MAPS}?labelSelector=a%3D%3D%3D"),
        "a bad field selector": side.get(f"{MAPS}?fieldSelector=odd"),
        "an unknown field": side.get(f"{MAPS}?fieldSelector=data.a%3D1"),
        "an unknown field of pods": side.get(f"{PODS}?fieldSelector=spec.odd%3D1"),
        "by field": side.get(f"{MAPS}?fieldSelector=metadata.name%3Dlist-a"),
        "sets": side.get(f"{MAPS}?labelSelector=list+in+(a,b),list+notin+(b)"),
        "no such namespace": side.get("/api/v1/namespaces/none/configmaps"),
        "version nonsense": side.get(f"{MAPS}?resourceVersion=abc"),
        "version of the future": side.get(f"{MAPS}?resourceVersion=99999999&{selected}&timeoutSeconds=1"),
        "exact without a version": side.get(f"{MAPS}?resourceVersionMatch=Exact"),
        "an odd match": side.get(f"{MAPS}?resourceVersionMatch=Odd&resourceVersion=1"),
        "as a table": side.get(f"{MAPS}?{selected}", accept="application/json;as=Table;v=v1;g=meta.k8s.io,application/json"),
        "as metadata": side.get(f"{MAPS}?{selected}", accept="application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json"),
        "one as metadata": side.get(f"{MAPS}/list-a", accept="application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"),
        "an unknown form": side.get(f"{MAPS}/list-a", accept="application/json;as=Odd;v=v1;g=meta.k8s.io"),
        "an unknown media type": side.get(f"{MAPS}/list-a", accept="text/html"),
        "anything": side.get(f"{MAPS}/list-a", accept="*/*"),
        "delete all": side.delete(f"{MAPS}?{selected}"),
        "none left": side.get(f"{MAPS}?{selected}"),
    }
    for row in found["as a table"]["body"]["rows"]:
        row["cells"][2] = re.sub(r"^\d+s$", "<age>", row["cells"][2])
    return found


def watches(side):
    version = side.get(f"{MAPS}?limit=1")["body"]["metadata"]["resourceVersion"]
    side.post(MAPS, config_map("seen", labels={"w": "1"}))
    side.patch(f"{MAPS}/seen", {"data": {"a": "2"}})
    side.patch(f"{MAPS}/seen", {"metadata": {"labels": {"w": None}}})
    side.patch(f"{MAPS}/seen", {"metadata": {"labels": {"w": "2"}}})
    side.delete(f"{MAPS}/seen")
    side.post(MAPS, config_map("stays", labels={"stays": "1"}))
    by_name, by_label = "fieldSelector=metadata.name%3Dseen", "labelSelector=w"
    stays = "labelSelector=stays"
    return {
        "from a version": side.watch(f"{MAPS}?resourceVersion={version}&{by_name}"),
        "objects that come into the selection and leave it": side.watch(f"{MAPS}?resourceVersion={version}&{by_label}"),
        "from nothing": side.watch(f"{MAPS}?{stays}"),
        "from zero": side.watch(f"{MAPS}?resourceVersion=0&{stays}"),
        "initial events": side.watch(f"{MAPS}?{stays}&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"),
        "initial events without the match": side.watch(f"{MAPS}?sendInitialEvents=true"),
        "a match without initial events": side.watch(f"{MAPS}?resourceVersion=1&resourceVersionMatch=NotOlderThan"),
        "version nonsense": side.watch(f"{MAPS}?resourceVersion=abc"),
        "one object by name": side.watch(f"{MAPS}/stays"),
        "an empty watch": side.watch(f"{MAPS}?labelSelector=nothing-has-it"),
    }


def generated_names(side):
    made = side.post(MAPS, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "made-"}})
    name = made["body"]["metadata"].pop("name")
    return {"answer": made, "prefix": name[:5], "length": len(name), "letters": set(name[5:]) <= set("bcdfghjklmnpqrstvwxz2456789")}


def scale_subresource(side):
    side.post(DEPLOYMENTS, deployment("scaled"))
    one = f"{DEPLOYMENTS}/scaled/scale"

    def settled():
        """The controller has seen the Deployment as it is, and so writes it no more."""
        body = side.get(f"{DEPLOYMENTS}/scaled")["body"]
        seen = body["status"].get("observedGeneration") == body["metadata"]["generation"]
        kinds = {condition["type"] for condition in body["status"].get("conditions", [])}
        return seen and kinds >= {"Available", "Progressing"} and body["metadata"]["resourceVersion"]

    def quiet():
        version = until("settled Deployment", settled)
        time.sleep(0.5)
        return version == settled()

    until("quiet Deployment", quiet)
    held = side.get(one)
    found = {
        "get": held,
        "put": side.put(one, {**held["body"], "spec": {"replicas": 2}}),
        "with an old version": side.put(one, {**held["body"], "metadata": {**held["body"]["metadata"], "resourceVersion": "1"}, "spec": {"replicas": 1}}),
        "patch": side.patch(one, {"spec": {"replicas": 0}}),
        "negative": side.patch(one, {"spec": {"replicas": -1}}),
        "another name": side.put(one, {**held["body"], "metadata": {"name": "x", "namespace": NAMESPACE}, "spec": {"replicas": 1}}),
        "another kind": side.put(one, deployment("scaled")),
        "of nothing": side.get(f"{DEPLOYMENTS}/none/scale"),
        "of a kind without": side.get(f"{MAPS}/none/scale"),
        "delete": side.delete(one),
        "by strategic patch": side.patch(one, {"spec": {"replicas": 1}}, "strategic"),
    }
    for answer in found.values():
        # How many pods there are by now is up to the controller.
        if isinstance(answer["body"].get("status"), dict):
            answer["body"]["status"].pop("replicas", None)
    return found


CASES = [
    create_read_replace_delete, create_refusals, json_patches, merge_patches, strategic_patches, server_side_apply, apply_to_lists,
    validation_of_deployments, validation_of_pods, validation_of_autoscalers, validation_of_other_kinds, updates_that_are_refused,
    lists, watches, generated_names, scale_subresource,
]
