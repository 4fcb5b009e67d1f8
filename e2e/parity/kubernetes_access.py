"""Parity cases: who may do what, and the tokens of ServiceAccounts."""

import base64
import json

from kubernetes_requests import DEPLOYMENTS, MAPS, config_map
from parity import NAMESPACE, until

RBAC = "rbac.authorization.k8s.io"
ROLES = f"/apis/{RBAC}/v1/namespaces/{NAMESPACE}"
ACCOUNTS = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts"
USER = f"system:serviceaccount:{NAMESPACE}:reader"


def reader(side):
    side.post(ACCOUNTS, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "reader"}})
    rules = [
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]},
        {"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["known"], "verbs": ["get"]},
        {"apiGroups": ["apps"], "resources": ["deployments/scale"], "verbs": ["get"]},
    ]
    side.post(f"{ROLES}/roles", {"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": {"name": "reader"}, "rules": rules})
    side.post(f"{ROLES}/rolebindings", {
        "apiVersion": f"{RBAC}/v1", "kind": "RoleBinding", "metadata": {"name": "reader"},
        "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": "reader"},
        "subjects": [{"kind": "ServiceAccount", "name": "reader", "namespace": NAMESPACE}],
    })
    answer = until("a token", lambda: side.post(f"{ACCOUNTS}/reader/token", {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}})["body"])
    token = answer["status"]["token"]
    until("the right", lambda: side.get(MAPS, token=token)["status"] == 200)
    return token


def refusals(side):
    token = reader(side)
    asked = {
        "list elsewhere": ("GET", "/api/v1/namespaces/default/configmaps"), "list everywhere": ("GET", "/api/v1/configmaps"),
        "create": ("POST", MAPS), "delete": ("DELETE", f"{MAPS}/x"), "delete all": ("DELETE", MAPS), "patch": ("PATCH", f"{MAPS}/x"),
        "update": ("PUT", f"{MAPS}/x"), "watch": ("GET", f"{MAPS}?watch=1"), "another name": ("GET", f"/api/v1/namespaces/{NAMESPACE}/secrets/other"),
        "a known name that is not there": ("GET", f"/api/v1/namespaces/{NAMESPACE}/secrets/known"), "cluster scope": ("GET", "/api/v1/nodes"),
        "one of the cluster": ("GET", "/api/v1/nodes/x"), "another group": ("GET", DEPLOYMENTS), "a subresource": ("GET", f"{DEPLOYMENTS}/x/status"),
        "a subresource that may be had": ("GET", f"{DEPLOYMENTS}/x/scale"), "a path": ("GET", "/metrics"), "discovery": ("GET", "/apis/apps/v1"),
        "an unknown kind": ("GET", f"/apis/none.example.com/v1/namespaces/{NAMESPACE}/things"), "an unknown path": ("GET", "/odd"),
        "a namespace": ("GET", "/api/v1/namespaces/default"), "namespaces": ("GET", "/api/v1/namespaces"),
    }
    found = {name: side.call(method, path, None if method == "GET" else config_map("x"), token=token) for name, (method, path) in asked.items()}
    for name in ("discovery",):
        found[name] = found[name]["status"]
    return found


def roles_that_may_not_be_given(side):
    token = reader(side)
    side.post(f"{ROLES}/roles", {"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": {"name": "writer"}, "rules": [{"apiGroups": [RBAC], "resources": ["roles", "rolebindings"], "verbs": ["create"]}]})
    side.post(f"{ROLES}/rolebindings", {"apiVersion": f"{RBAC}/v1", "kind": "RoleBinding", "metadata": {"name": "writer"}, "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": "writer"}, "subjects": [{"kind": "ServiceAccount", "name": "reader", "namespace": NAMESPACE}]})
    role = lambda rules: side.post(f"{ROLES}/roles", {"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": {"name": "more"}, "rules": rules}, token=token)
    until("the right", lambda: "cannot create" not in str(role([{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}])["body"].get("message")))
    return {
        "more than one's own": role([{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}, {"apiGroups": [""], "resources": ["secrets"], "verbs": ["*"]}]),
        "a binding to more": side.post(f"{ROLES}/rolebindings", {"apiVersion": f"{RBAC}/v1", "kind": "RoleBinding", "metadata": {"name": "more"}, "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "view"}, "subjects": []}, token=token)["status"],
        "what one has": role([{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}])["status"],
        "a role that is not there": side.post(f"{ROLES}/rolebindings", {"apiVersion": f"{RBAC}/v1", "kind": "RoleBinding", "metadata": {"name": "none"}, "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": "none"}}, token=token),
    }


def impersonation(side):
    token = reader(side)
    return {
        "as the reader": side.get("/api/v1/nodes", headers={"Impersonate-User": USER}),
        "as somebody": side.get("/api/v1/nodes", headers={"Impersonate-User": "somebody", "Impersonate-Group": "people"}),
        "by somebody who may not": side.get(MAPS, headers={"Impersonate-User": "root"}, token=token),
        "a group by somebody who may not": side.get(MAPS, headers={"Impersonate-User": USER, "Impersonate-Group": "system:masters"}, token=token),
        "a group without a user": side.get(MAPS, headers={"Impersonate-Group": "x"}),
    }


def access_reviews(side):
    token = reader(side)
    def review(kind, spec, **options):
        body = {"apiVersion": "authorization.k8s.io/v1", "kind": kind, "spec": spec}
        answer = side.post(f"/apis/authorization.k8s.io/v1/{kind.lower()}s", body, **options)
        if isinstance(answer["body"].get("metadata"), dict):
            answer["body"]["metadata"].pop("managedFields", None)
        return answer
    own = lambda **spec: review("SelfSubjectAccessReview", spec, token=token)
    return {
        "allowed": own(resourceAttributes={"namespace": NAMESPACE, "verb": "get", "resource": "configmaps"}),
        "refused": own(resourceAttributes={"namespace": NAMESPACE, "verb": "delete", "resource": "configmaps"}),
        "by name": own(resourceAttributes={"namespace": NAMESPACE, "verb": "get", "resource": "secrets", "name": "known"}),
        "a path": own(nonResourceAttributes={"path": "/metrics", "verb": "get"}),
        "both": own(nonResourceAttributes={"path": "/x", "verb": "get"}, resourceAttributes={"verb": "get", "resource": "pods"}),
        "neither": own(),
        "of another": review("SubjectAccessReview", {"user": USER, "resourceAttributes": {"namespace": NAMESPACE, "verb": "list", "resource": "configmaps"}}),
        "of nobody": review("SubjectAccessReview", {"resourceAttributes": {"verb": "list", "resource": "configmaps"}}),
        "by somebody who may not": review("SubjectAccessReview", {"user": "x", "resourceAttributes": {"verb": "list", "resource": "pods"}}, token=token),
    }


def rules_reviews(side):
    token = reader(side)
    answer = side.post("/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview", "spec": {"namespace": NAMESPACE}}, token=token)
    status = answer["body"]["status"]
    for kind in ("resourceRules", "nonResourceRules"):
        status[kind] = sorted(status[kind], key=lambda rule: json.dumps(rule, sort_keys=True))
    listed = side.kubectl("auth", "can-i", "--list", f"--as={USER}")
    listed["out"] = sorted(" ".join(line.split()) for line in listed["out"].splitlines())
    return {"answer": answer, "no namespace": side.post("/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview", "spec": {}}), "kubectl": listed}


def whoami(side):
    token = reader(side)
    answer = side.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}, token=token)
    extra = answer["body"]["status"]["userInfo"].get("extra", {})
    answer["body"]["status"]["userInfo"]["extra"] = sorted(extra)
    return answer


def claims_of(answer):
    token = answer["body"].get("status", {}).get("token") if isinstance(answer["body"].get("status"), dict) else None
    if not token:
        return answer
    part = lambda index: json.loads(base64.urlsafe_b64decode(token.split(".")[index] + "=="))
    header, claims = part(0), part(1)
    claims["life"] = claims.pop("exp") - claims["iat"]
    claims["since"] = claims["iat"] == claims.pop("nbf")
    claims.pop("iat")
    claims.update(iss=type(claims["iss"]).__name__, jti=type(claims.get("jti")).__name__)
    spec = answer["body"]["spec"]
    if not claims["aud"][0].startswith("a"):
        claims["aud"], spec["audiences"] = "<default>", "<default>"
    answer["body"]["metadata"].pop("managedFields", None)
    return {**answer, "header": {**header, "kid": type(header.get("kid")).__name__}, "claims": claims}


def token_requests(side):
    reader(side)
    ask = lambda spec, name="reader": claims_of(side.post(f"{ACCOUNTS}/{name}/token", {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}))
    side.post(f"/api/v1/namespaces/{NAMESPACE}/secrets", {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "bound"}})
    return {
        "for an audience": ask({"audiences": ["a.example.com", "b"], "expirationSeconds": 1200}),
        "by default": ask({}),
        "too short": ask({"expirationSeconds": 60}),
        "too long": ask({"expirationSeconds": 2 ** 33}),
        "bound to a secret": ask({"audiences": ["a"], "boundObjectRef": {"apiVersion": "v1", "kind": "Secret", "name": "bound"}}),
        "bound to a pod that is not there": ask({"boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": "none"}}),
        "bound to another uid": ask({"boundObjectRef": {"apiVersion": "v1", "kind": "Secret", "name": "bound", "uid": "x"}}),
        "bound to an odd kind": ask({"boundObjectRef": {"apiVersion": "v1", "kind": "ConfigMap", "name": "x"}}),
        "for nobody": ask({}, "none"),
    }


def token_reviews(side):
    token = reader(side)
    review = lambda value, audiences=None: side.post("/apis/authentication.k8s.io/v1/tokenreviews", {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": value, **({"audiences": audiences} if audiences else {})}})
    good, other, bad = review(token), review(token, ["other"]), review("nonsense")
    good["body"]["status"]["user"]["extra"] = sorted(good["body"]["status"]["user"].get("extra", {}))
    good["body"]["status"]["audiences"] = len(good["body"]["status"].get("audiences", []))
    for answer in (good, other, bad):
        answer["body"]["metadata"].pop("managedFields", None)
        answer["body"]["status"]["error"] = bool(answer["body"]["status"].get("error"))
    return {"good": good, "for another audience": other, "nonsense": bad, "no token": review("")}


def issuer_documents(side):
    configuration, keys = side.get("/.well-known/openid-configuration"), side.get("/openid/v1/jwks")
    held = configuration["body"]
    for name in ("issuer", "jwks_uri"):
        held[name] = type(held.get(name)).__name__
    if "keys" not in keys["body"]:
        return {"configuration": configuration, "keys": keys}
    return {"configuration": configuration, "keys": {**keys, "body": {"fields": sorted(keys["body"]["keys"][0]), "alg": keys["body"]["keys"][0].get("alg"), "use": keys["body"]["keys"][0].get("use")}}}


CASES = [
    refusals, roles_that_may_not_be_given, impersonation, access_reviews, rules_reviews, whoami, token_requests, token_reviews,
    issuer_documents,
]
