"""Parity cases: what the servers say that they serve."""

# Kinds that the local Kubernetes serves; a real one serves more, which is not compared.
SERVED = {
    "v1": "configmaps endpoints events limitranges namespaces nodes pods resourcequotas secrets serviceaccounts services",
    "apiregistration.k8s.io/v1": "apiservices",
    "apps/v1": "controllerrevisions daemonsets deployments replicasets statefulsets",
    "events.k8s.io/v1": "events",
    "authentication.k8s.io/v1": "selfsubjectreviews tokenreviews",
    "authorization.k8s.io/v1": "localsubjectaccessreviews selfsubjectaccessreviews selfsubjectrulesreviews subjectaccessreviews",
    "autoscaling/v2": "horizontalpodautoscalers",
    "autoscaling/v1": "horizontalpodautoscalers",
    "batch/v1": "cronjobs jobs",
    "policy/v1": "poddisruptionbudgets",
    "rbac.authorization.k8s.io/v1": "clusterrolebindings clusterroles rolebindings roles",
    "apiextensions.k8s.io/v1": "customresourcedefinitions",
    "scheduling.k8s.io/v1": "priorityclasses",
    "coordination.k8s.io/v1": "leases",
    "discovery.k8s.io/v1": "endpointslices",
}
SUBRESOURCES = {"status", "scale", "log", "eviction", "binding", "token", "finalize"}
GROUPS = {group.split("/")[0] for group in SERVED if "/" in group}
PREFERRED = {"autoscaling": "v2"}
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"


def is_served(group_version, name):
    plural, _, subresource = name.partition("/")
    return plural in SERVED[group_version].split() and (not subresource or subresource in SUBRESOURCES)


def plain_discovery(side):
    core = side.get("/api")
    core["body"].pop("serverAddressByClientCIDRs")
    groups = side.get("/apis")
    held = {group["name"]: group for group in groups["body"].pop("groups") if group["name"] in GROUPS}
    for group in held.values():
        group["versions"] = [one for one in group["versions"] if one["groupVersion"] in SERVED]
    return {"/api": core, "/apis": groups, "groups": held}


def order_of_groups(side):
    return [group["name"] for group in side.get("/apis")["body"]["groups"] if group["name"] in GROUPS]


def one_group(side):
    return [side.get("/apis/apps"), side.get("/apis/autoscaling"), side.get("/apis/nothing.example.com")]


def resource_lists(side):
    found = {}
    for group_version in SERVED:
        path = f"/api/{group_version}" if "/" not in group_version else f"/apis/{group_version}"
        answer = side.get(path)
        entries = answer["body"].pop("resources")
        held = {entry["name"]: entry for entry in entries if is_served(group_version, entry["name"])}
        for entry in held.values():
            entry.pop("storageVersionHash", None)
        found[group_version] = {**answer, "resources": held}
    return found


def aggregated_discovery(side):
    found = {}
    for path in ("/api", "/apis"):
        answer = side.get(path, accept=AGGREGATED)
        for group in answer["body"].pop("items"):
            for version in group.pop("versions"):
                name = group["metadata"].get("name", "")
                group_version = f"{name}/{version['version']}" if name else version["version"]
                if group_version not in SERVED:
                    continue
                held = {one["resource"]: one for one in version.pop("resources") if is_served(group_version, one["resource"])}
                for one in held.values():
                    kept = [sub for sub in one.get("subresources", []) if sub["subresource"] in SUBRESOURCES]
                    one.pop("subresources", None)
                    one.update({"subresources": {sub["subresource"]: sub for sub in kept}} if kept else {})
                found[group_version] = {"group": group, "version": version, "resources": held}
        found[path] = answer
    return found


def pages_that_nobody_serves(side):
    paths = [
        "/nothing", "/nothing/more", "/apis/nothing.example.com", "/apis/nothing.example.com/v1",
        "/apis/nothing.example.com/v1/things", "/apis/nothing.example.com/v1/namespaces/default/things/x", "/apis/apps/v9",
        "/apis/apps/v9/deployments", "/apis/apps/v1/nothings", "/api/v1/nothings", "/api/v1/namespaces/default/nothings/x",
        "/api/v2", "/api/v2/pods", "/apis/apps/v1/namespaces/default/deployments/x/nothing", "/api/v1/nodes/x/y/z",
        "/openapi/v4",
    ]
    return {path: side.get(path) for path in paths}


def methods_that_nobody_allows(side):
    all_pages = side.delete("/apis")
    all_pages["body"]["groups"] = len(all_pages["body"]["groups"]) > 1
    return {
        "POST to an object": side.post("/api/v1/namespaces/default/configmaps/x", {}),
        "PUT to a list": side.put("/api/v1/namespaces/default/configmaps", {}),
        "PATCH of a list": side.patch("/api/v1/namespaces/default/configmaps", {}),
        "POST over all namespaces": side.post("/api/v1/configmaps", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}}),
        "POST to discovery": side.post("/apis/apps/v1", {}),
        "GET of a review": side.get("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"),
        "POST to version": side.post("/version", {}),
        "DELETE of all pages": all_pages,
    }


def health(side):
    return {path: side.get(path) for path in ("/healthz", "/livez", "/readyz", "/readyz/ping", "/livez/nothing")}


def version(side):
    answer = side.get("/version")
    return {**answer, "body": {name: answer["body"].get(name) for name in ("major", "minor", "platform")}, "keys": sorted(answer["body"])}


def api_resources_of_kubectl(side):
    lines = side.kubectl("api-resources", "--no-headers")["out"].splitlines()
    rows = sorted(" ".join(line.split()) for line in lines)
    served = {(group_version, plural) for group_version, plurals in SERVED.items() for plural in plurals.split()}
    return [row for row in rows if any((row.split()[0] == p and f" {g} " in f" {row} ") for g, p in served)]


def bad_tokens(side):
    return {
        "nonsense": side.get("/api", token="nonsense"),
        "a JWT of nobody": side.get("/api", token="eyJhbGciOiJub25lIn0.e30."),
        "anonymous": side.call("GET", "/api/v1/pods", headers={"Authorization": ""}),
        "anonymous health": side.call("GET", "/readyz", headers={"Authorization": ""}),
        "anonymous version": side.call("GET", "/version", headers={"Authorization": ""}),
    }


CASES = [
    plain_discovery, order_of_groups, one_group, resource_lists, aggregated_discovery, pages_that_nobody_serves,
    methods_that_nobody_allows, health, version, api_resources_of_kubectl, bad_tokens,
]
