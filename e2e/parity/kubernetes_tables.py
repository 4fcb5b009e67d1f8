"""Parity of tables and defaults: what the API server shows of each kind, and what it fills in. Nothing is kept (dry runs)."""

from kubernetes_commands import IMAGE, objects
from kubernetes_requests import config_map, deployment
from parity import NAMESPACE

# As kubectl asks for what it prints.
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json"
RBAC = "rbac.authorization.k8s.io"
LABELS = {"app": "new"}
SELECTOR = {"matchLabels": LABELS}


def template(**spec):
    return {"metadata": {"labels": LABELS}, "spec": {"containers": [{"name": "main", "image": IMAGE}], **spec}}


def made(version, kind, /, **fields):
    return {"apiVersion": version, "kind": kind, "metadata": {"name": "new", **fields.pop("metadata", {})}, **fields}


def hook():
    rule = {"operations": ["CREATE"], "apiGroups": ["none.example.com"], "apiVersions": ["v1"], "resources": ["nothings"]}
    service = {"namespace": NAMESPACE, "name": "new"}
    return {"name": "new.example.com", "sideEffects": "None", "admissionReviewVersions": ["v1"], "clientConfig": {"service": service}, "rules": [rule]}


# Plural, whether it lives in a namespace, and the least that makes one.
KINDS = {
    "configmaps": (True, config_map("new", {"a": "1", "b": "2"})),
    "secrets": (True, made("v1", "Secret", stringData={"a": "b"})),
    "serviceaccounts": (True, made("v1", "ServiceAccount")),
    "services": (True, made("v1", "Service", spec={"selector": LABELS, "ports": [{"port": 80}]})),
    "pods": (True, made("v1", "Pod", metadata={"labels": LABELS}, spec={"containers": [{"name": "main", "image": IMAGE}]})),
    "events": (True, made("v1", "Event", involvedObject={"kind": "Pod", "namespace": NAMESPACE, "name": "new"}, reason="Seen", message="It was seen.", type="Normal", count=2)),
    "limitranges": (True, made("v1", "LimitRange", spec={"limits": [{"type": "Container", "max": {"cpu": "2"}}]})),
    "resourcequotas": (True, made("v1", "ResourceQuota", spec={"hard": {"pods": "3", "requests.cpu": "1500m"}})),
    "namespaces": (False, made("v1", "Namespace")),
    "deployments": (True, {**deployment("new"), "spec": {"selector": SELECTOR, "template": template()}}),
    "replicasets": (True, made("apps/v1", "ReplicaSet", spec={"selector": SELECTOR, "template": template()})),
    "statefulsets": (True, made("apps/v1", "StatefulSet", spec={"serviceName": "new", "selector": SELECTOR, "template": template()})),
    "daemonsets": (True, made("apps/v1", "DaemonSet", spec={"selector": SELECTOR, "template": template()})),
    "jobs": (True, made("batch/v1", "Job", spec={"suspend": True, "template": template(restartPolicy="Never")})),
    "cronjobs": (True, made("batch/v1", "CronJob", spec={"schedule": "0 0 1 1 *", "suspend": True, "jobTemplate": {"spec": {"template": template(restartPolicy="OnFailure")}}})),
    "horizontalpodautoscalers": (True, made("autoscaling/v2", "HorizontalPodAutoscaler", spec={"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "new"}, "maxReplicas": 4, "metrics": [{"type": "External", "external": {"metric": {"name": "queue"}, "target": {"type": "AverageValue", "averageValue": "3"}}}, {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}]})),
    "poddisruptionbudgets": (True, made("policy/v1", "PodDisruptionBudget", spec={"maxUnavailable": "50%", "selector": SELECTOR})),
    "leases": (True, made("coordination.k8s.io/v1", "Lease", spec={"holderIdentity": "somebody", "leaseDurationSeconds": 15})),
    "roles": (True, made(f"{RBAC}/v1", "Role", rules=[{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}])),
    "rolebindings": (True, made(f"{RBAC}/v1", "RoleBinding", roleRef={"apiGroup": RBAC, "kind": "ClusterRole", "name": "view"}, subjects=[{"kind": "Group", "name": "people"}, {"kind": "ServiceAccount", "name": "new", "namespace": NAMESPACE}])),
    "clusterroles": (False, made(f"{RBAC}/v1", "ClusterRole", rules=[{"nonResourceURLs": ["/metrics"], "verbs": ["get"]}])),
    "clusterrolebindings": (False, made(f"{RBAC}/v1", "ClusterRoleBinding", roleRef={"apiGroup": RBAC, "kind": "ClusterRole", "name": "view"}, subjects=[{"kind": "User", "name": "somebody"}])),
    "priorityclasses": (False, made("scheduling.k8s.io/v1", "PriorityClass", value=7, description="Seven.")),
    "endpointslices": (True, made("discovery.k8s.io/v1", "EndpointSlice", addressType="IPv4", ports=[{"port": 80}], endpoints=[{"addresses": ["10.1.2.3"]}])),
    "apiservices": (False, made("apiregistration.k8s.io/v1", "APIService", metadata={"name": "v1.new.example.com"}, spec={"group": "new.example.com", "version": "v1", "groupPriorityMinimum": 100, "versionPriority": 10, "service": {"namespace": NAMESPACE, "name": "new"}})),
    "endpoints": (True, made("v1", "Endpoints", subsets=[{"addresses": [{"ip": "10.1.2.3"}], "ports": [{"port": 80}]}])),
    "controllerrevisions": (True, made("apps/v1", "ControllerRevision", revision=2, data={"a": "b"})),
    "persistentvolumeclaims": (True, made("v1", "PersistentVolumeClaim", spec={"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}})),
    "persistentvolumes": (False, made("v1", "PersistentVolume", spec={"accessModes": ["ReadOnlyMany", "ReadWriteOnce"], "capacity": {"storage": "1Gi"}, "hostPath": {"path": "/data"}})),
    "storageclasses": (False, made("storage.k8s.io/v1", "StorageClass", provisioner="example.com/disk")),
    "ingresses": (True, made("networking.k8s.io/v1", "Ingress", spec={"tls": [{"hosts": ["a.example.com"]}], "rules": [{"host": "a.example.com", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "new", "port": {"number": 80}}}}]}}]})),
    "ingressclasses": (False, made("networking.k8s.io/v1", "IngressClass", spec={"controller": "example.com/ways"})),
    "networkpolicies": (True, made("networking.k8s.io/v1", "NetworkPolicy", spec={"podSelector": {"matchLabels": LABELS}, "ingress": [{"ports": [{"port": 80}]}]})),
    "validatingwebhookconfigurations": (False, made("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", webhooks=[hook()])),
    "mutatingwebhookconfigurations": (False, made("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", webhooks=[hook()])),
}


def path_of(plural, namespaced, version):
    base = f"/api/{version}" if "/" not in version else f"/apis/{version}"
    return f"{base}/namespaces/{NAMESPACE}/{plural}" if namespaced else f"{base}/{plural}"


def path(plural):
    namespaced, body = KINDS[plural]
    return path_of(plural, namespaced, body["apiVersion"])


def defaults_of_every_kind(side):
    return {plural: side.post(f"{path(plural)}?dryRun=All", body) for plural, (_, body) in KINDS.items()}


def tables_of_every_kind(side):
    """A row of what would be made: no controller has seen it, so it is the same whenever it is asked for."""
    return {plural: side.post(f"{path(plural)}?dryRun=All", body, accept=TABLE) for plural, (_, body) in KINDS.items()}


def tables_of_lists(side):
    objects(side)
    selected = "fieldSelector=metadata.name%3Dshown&limit=500"
    kinds = ("configmaps", "secrets", "serviceaccounts", "cronjobs", "leases", "roles", "rolebindings")
    found = {plural: side.get(f"{path(plural)}?{selected}", accept=TABLE) for plural in kinds}
    for include in ("None", "Metadata", "Object", "Odd"):
        found[f"with {include}"] = side.get(f"{path('roles')}?{selected}&includeObject={include}", accept=TABLE)
    found["of one"] = side.get(f"{path('rolebindings')}/shown", accept=TABLE)
    found["of one that is not there"] = side.get(f"{path('rolebindings')}/none", accept=TABLE)
    found["of none"] = side.get(f"{path('statefulsets')}?limit=500", accept=TABLE)
    found["as version 1beta1"] = side.get(f"{path('roles')}/shown", accept=TABLE.split(",")[1])
    return found


def refusals_of_every_kind(side):
    """An object that is not there, and one without a spec or a name."""
    found = {}
    for plural, (_, body) in KINDS.items():
        found[f"{plural}: none"] = side.get(f"{path(plural)}/none")
        found[f"{plural}: delete none"] = side.delete(f"{path(plural)}/none")
        found[f"{plural}: bare"] = side.post(f"{path(plural)}?dryRun=All", {"apiVersion": body["apiVersion"], "kind": body["kind"], "metadata": {"name": "Bad_Name"}})
    return found


CASES = [defaults_of_every_kind, tables_of_every_kind, tables_of_lists, refusals_of_every_kind]
