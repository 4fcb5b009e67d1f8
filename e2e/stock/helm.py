#!/usr/bin/env python3
"""The chart of `sluice operator chart` as stock helm and kubectl see it: one line a check, then "N passed, M failed".

    SLUICE=target/debug/sluice KUBECONFIG=FILE python3 e2e/stock/helm.py

Needs helm, kubectl and PyYAML. The cluster has no KEDA yet, and its nodes have the image `sluice:latest`; on Fargate, a profile selects
the namespace `keda`. No other pod runs: those of the checks name a scheduler that does not exist.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

SLUICE = Path(os.environ["SLUICE"]).resolve()
SPACES = ("helm-checks", "helm-elsewhere")
RELEASE = ["keda", "--namespace", "keda"]
LIMIT = 180
failed = 0


def run(*words, given=None):
    return subprocess.run([str(word) for word in words], input=given, capture_output=True, text=True)


def check(name, is_so, found=""):
    global failed
    failed += not is_so
    passed[name] = is_so
    print(f"{'ok   ' if is_so else 'FAIL '} {name}" + ("" if is_so else f"\n      {str(found)[:1500]}"), flush=True)


passed = {}


def kubectl(*words, given=None):
    return run("kubectl", *words, given=given)


def apply(*objects):
    return kubectl("apply", "-f", "-", given=yaml.dump_all(objects))


def get(*words):
    """The object, or None where there is none; anything else is an error."""
    answer = kubectl("get", *words, "-o", "json", "--ignore-not-found")
    if answer.returncode:
        raise RuntimeError(answer.stderr)
    return json.loads(answer.stdout) if answer.stdout else None


def becomes(name, what):
    """A check of what comes in time."""
    deadline, found = time.monotonic() + LIMIT, None
    while True:
        try:
            if (found := what()) is True:
                break
        except RuntimeError as error:
            found = error
        if time.monotonic() > deadline:
            break
        time.sleep(0.5)
    check(name, found is True, found)


def workload(namespace, replicas=0):
    pod = {"schedulerName": "nobody", "containers": [{"name": "main", "image": "sluice:latest"}]}
    template = {"metadata": {"labels": {"app": "target"}}, "spec": pod}
    return {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "target", "namespace": namespace},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "target"}}, "template": template},
    }


def scaled(namespace, name="target", target="target", value="1"):
    trigger = {"type": "kubernetes-workload", "metadata": {"podSelector": "app=seed", "value": value}}
    spec = {"scaleTargetRef": {"name": target}, "pollingInterval": 1, "maxReplicaCount": 5, "triggers": [trigger]}
    return {"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": {"name": name, "namespace": namespace}, "spec": spec}


def seed(namespace):
    """A pod that a trigger counts."""
    spec = {"schedulerName": "nobody", "containers": [{"name": "main", "image": "sluice:latest"}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "seed", "namespace": namespace, "labels": {"app": "seed"}}, "spec": spec}


def condition(of, kind):
    return next((one["status"] for one in (of or {}).get("status", {}).get("conditions", []) if one["type"] == kind), None)


def is_ready(namespace, name="target"):
    found = get("scaledobject", name, "-n", namespace)
    return condition(found, "Ready") == "True" or found


def replicas(namespace, wanted):
    found = get("deployment", "target", "-n", namespace)["spec"]["replicas"]
    return found == wanted or found


def is_rolled_out():
    found = get("deployment", "keda-operator", "-n", "keda") or {}
    status, wanted = found.get("status", {}), found.get("spec", {}).get("replicas")
    is_seen = status.get("observedGeneration") == found.get("metadata", {}).get("generation")
    return (is_seen and status.get("updatedReplicas") == status.get("readyReplicas") == status.get("replicas") == wanted) or status


def by_name(text):
    return {(one["kind"], one["metadata"]["name"]): one for one in yaml.safe_load_all(text) if one}


def differences(ours, theirs, at=""):
    """Paths at which two objects differ; lists of rules are sets."""
    if at == "/rules":
        plain = lambda rules: sorted(json.dumps({key: sorted(value) for key, value in rule.items()}, sort_keys=True) for rule in rules)
        return [] if plain(ours) == plain(theirs) else [at]
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return [path for key in {*ours, *theirs} for path in differences(ours.get(key), theirs.get(key), f"{at}/{key}")]
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        return [path for index, pair in enumerate(zip(ours, theirs)) for path in differences(*pair, f"{at}/{index}")]
    return [] if ours == theirs else [at]


# What the chart says beyond `operator manifests`, or leaves to its values.
POD = "/spec/template/spec"
EXPECTED = {
    "/automountServiceAccountToken", "/spec/revisionHistoryLimit", f"{POD}/dnsPolicy", f"{POD}/enableServiceLinks", f"{POD}/hostNetwork",
    f"{POD}/containers/0/env",
}


def rendered(package):
    given = run("helm", "template", *RELEASE, package, "--kube-version", "1.35.0")
    check("helm template renders it", given.returncode == 0, given.stderr)
    manifests = run(SLUICE, "operator", "manifests")
    check("operator manifests prints", manifests.returncode == 0, manifests.stderr)
    chart, own = by_name(given.stdout), by_name(manifests.stdout)
    check("it has the operator's objects, and the webhooks", set(chart) ^ set(own) == {("Namespace", "keda"), ("ValidatingWebhookConfiguration", "keda-admission")}, set(chart) ^ set(own))
    found = {path for name in set(chart) & set(own) for path in differences(own[name], chart[name]) if "/labels" not in path}
    check("with the default values they are those of operator manifests", found == EXPECTED, found ^ EXPECTED)


def main(folder):
    written = run(SLUICE, "operator", "chart", folder)
    check("operator chart writes", written.returncode == 0, written.stderr)
    check("operator chart writes again over its own", run(SLUICE, "operator", "chart", folder).returncode == 0)
    package = next(Path(folder).glob("keda-*.tgz"), None)
    linted = run("helm", "lint", "--strict", Path(folder) / "keda")
    check("helm lint finds nothing", linted.returncode == 0, linted.stdout + linted.stderr)
    rendered(package)

    wrong = run("helm", "install", *RELEASE, package, "--create-namespace", "--set", "podIdentity.aws.irsa.enabled=true")
    check("a role that is not named is refused", wrong.returncode != 0 and "podIdentity.aws.irsa.roleArn names no role" in wrong.stderr, wrong.stderr)

    role = "arn:aws:iam::123456789012:role/keda-operator"
    # The flags of the tutorial; a package has one version, so helm takes the wish for another without a word.
    flags = ["--set", "podIdentity.aws.irsa.enabled=true", "--set", f"podIdentity.aws.irsa.roleArn={role}", "--version=2.14.0", "--namespace=keda", "--create-namespace"]
    installed = run("helm", "install", "keda", package, *flags, "--set", "http.timeout=5000")
    check("helm install with the tutorial's flags", installed.returncode == 0, installed.stderr)
    check("it names a value of KEDA's that has no effect", "no effect:\n  http\n" in installed.stdout + "\n", installed.stdout)
    becomes("the operator is there", is_rolled_out)
    account = get("serviceaccount", "keda-operator", "-n", "keda")
    check("its ServiceAccount names the role", account["metadata"]["annotations"].get("eks.amazonaws.com/role-arn") == role, account)
    becomes("the external metrics API is available", lambda: condition(get("apiservice", "v1beta1.external.metrics.k8s.io"), "Available") == "True")

    for space in SPACES:
        apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space}})
    here, there = SPACES
    made = apply(workload(here), workload(there), scaled(here))
    check("a ScaledObject is stored", made.returncode == 0, made.stderr)
    becomes("it is Ready", lambda: is_ready(here))
    apply(seed(here))
    becomes("it scales its target", lambda: replicas(here, 1))
    # The operator puts its CA into the configuration after its start; until then a webhook that fails is passed over.
    becomes("a second ScaledObject of the same target is refused", lambda: (lambda said: "already managed by" in said.stderr or said.stderr)(
        kubectl("create", "--dry-run=server", "-f", "-", given=yaml.dump(scaled(here, name="second")))))

    upgraded = run("helm", "upgrade", *RELEASE, package, "--reuse-values", "--set", f"watchNamespace={here}", "--set", "operator.replicaCount=2")
    check("helm upgrade to one namespace and two replicas", upgraded.returncode == 0, upgraded.stderr)
    becomes("both are there", is_rolled_out)
    apply(scaled(there))
    kubectl("delete", "pod", "seed", "-n", here, "--force")
    cooled = [{"op": "add", "path": "/spec/cooldownPeriod", "value": 1}]
    kubectl("patch", "scaledobject", "target", "-n", here, "--type=json", "-p", json.dumps(cooled))
    becomes("with rights in that namespace alone it scales in", lambda: replicas(here, 0))
    found = get("scaledobject", "target", "-n", there)
    check("an object of another namespace is left alone", found is not None and not found.get("status", {}).get("conditions") and not found["metadata"].get("finalizers"), found)

    for space in SPACES:
        deleted = kubectl("delete", "scaledobject", "--all", "-n", space, "--timeout", f"{LIMIT}s")
        check(f"the ScaledObjects of {space} go", deleted.returncode == 0, deleted.stderr)
    gone = run("helm", "uninstall", *RELEASE, "--wait", "--timeout", f"{LIMIT}s")
    check("helm uninstall", gone.returncode == 0, gone.stderr)
    becomes("the definitions are gone", lambda: get("crd", "scaledobjects.keda.sh") is None)
    for kind in ("clusterrole", "clusterrolebinding", "validatingwebhookconfiguration", "rolebinding --all-namespaces"):
        left = kubectl("get", *kind.split(), "-l", "app.kubernetes.io/instance=keda", "-o", "name").stdout
        check(f"no {kind.split()[0]} is left", left == "", left)


with tempfile.TemporaryDirectory() as folder:
    try:
        main(folder)
    finally:
        run("helm", "uninstall", *RELEASE)
        for space in (*SPACES, "keda"):
            kubectl("delete", "namespace", space, "--ignore-not-found", "--wait=false")
print(f"{sum(passed.values())} passed, {failed} failed")
sys.exit(1 if failed else 0)
