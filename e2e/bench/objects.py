"""The objects of a run: workloads that start no container, queues, authentications, ScaledObjects."""

from cloud import REGION

NAMESPACE = "sluice-bench"
KEDA = f"/apis/keda.sh/v1alpha1/namespaces/{NAMESPACE}"
SCALED = f"{KEDA}/scaledobjects"
AUTHENTICATIONS = f"{KEDA}/triggerauthentications"
DEPLOYMENTS = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments"
AUTOSCALERS = f"/apis/autoscaling/v2/namespaces/{NAMESPACE}/horizontalpodautoscalers"
SECRETS = f"/api/v1/namespaces/{NAMESPACE}/secrets"
HERE = f"/api/v1/namespaces/{NAMESPACE}"


def namespace():
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}


def keys(key):
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys"}, "stringData": {"id": key[0], "secret": key[1]}}


def deployment(name, replicas=0):
    """Its pods are for a scheduler that does not exist: they count as replicas and never start."""
    pod = {"schedulerName": "nobody", "containers": [{"name": "a", "image": "example.com/none:1"}]}
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}},
    }


def by_keys(name):
    """An authentication by the keys of the Secret."""
    references = [{"parameter": parameter, "name": "keys", "key": key} for parameter, key in (("awsAccessKeyID", "id"), ("awsSecretAccessKey", "secret"))]
    return {"apiVersion": "keda.sh/v1alpha1", "kind": "TriggerAuthentication", "metadata": {"name": name}, "spec": {"secretTargetRef": references}}


def by_role(name, arn):
    """An authentication by a role that the operator assumes."""
    return {"apiVersion": "keda.sh/v1alpha1", "kind": "TriggerAuthentication", "metadata": {"name": name}, "spec": {"podIdentity": {"provider": "aws", "roleArn": arn}}}


def scaled(name, target, authentication, queue, *, polling, endpoint, length=5, annotations=None, cooldown=300):
    trigger = {
        "type": "aws-sqs-queue", "authenticationRef": {"name": authentication},
        "metadata": {"queueURL": queue, "queueLength": str(length), "awsRegion": REGION, "awsEndpoint": endpoint},
    }
    return {
        "apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": {"name": name, "annotations": annotations or {}},
        "spec": {
            "scaleTargetRef": {"name": target}, "pollingInterval": polling, "cooldownPeriod": cooldown,
            "minReplicaCount": 0, "maxReplicaCount": 3, "triggers": [trigger],
        },
    }


def is_ready(item):
    conditions = item.get("status", {}).get("conditions") or []
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
