#!/usr/bin/env python3
"""An aggregated API server asked as real aggregators ask it: every user, path, form and method of a fixed matrix.

    aggregation.py record URL >answers.json     asks the server at URL and writes what it answers
    aggregation.py compare URL answers.json     asks the same of another server: a line a difference, then "N of M alike"

URL is where the server itself listens, past the API server (`https://10.88.0.7:6443`). The environment names the front proxy's
certificate (SLUICE_PARITY_FRONT_PROXY, a file NAME with NAME.crt and NAME.key) and KUBECONFIG, by which `kubectl create token`
gives tokens. `src/operator/metrics_api/recorded.json` is a recording of KEDA's adapter; `cargo test` replays it.
"""

import gzip
import http.client
import json
import os
import ssl
import subprocess
import sys
import urllib.parse

GROUP = "/apis/external.metrics.k8s.io"
VERSION = f"{GROUP}/v1beta1"
METRIC = f"{VERSION}/namespaces/nowhere/s0-none"

# Whom a request comes from: headers of the front proxy, or a ServiceAccount whose token it carries.
USERS = {
    "admin": {"proxy": ["X-Remote-User: admin", "X-Remote-Group: system:masters"]},
    "kube-aggregator": {"proxy": ["X-Remote-User: system:kube-aggregator"]},
    "aggregator": {"proxy": ["X-Remote-User: system:aggregator"]},
    "alice": {"proxy": ["X-Remote-User: alice", "X-Remote-Group: system:authenticated"]},
    "anonymous by proxy": {"proxy": ["X-Remote-User: system:anonymous", "X-Remote-Group: system:unauthenticated"]},
    "hpa by proxy": {"proxy": [
        "X-Remote-User: system:serviceaccount:kube-system:horizontal-pod-autoscaler", "X-Remote-Group: system:serviceaccounts",
        "X-Remote-Group: system:serviceaccounts:kube-system", "X-Remote-Group: system:authenticated"]},
    "nobody": {},
    "pretender": {"headers": ["X-Remote-User: admin", "X-Remote-Group: system:masters"]},
    "wrong token": {"headers": ["Authorization: Bearer nonsense"]},
    "basic": {"headers": ["Authorization: Basic YTpi"]},
    "account": {"token": ("default", "default")},
    "hpa": {"token": ("kube-system", "horizontal-pod-autoscaler")},
}

JSON, PROTOBUF = "application/json", "application/vnd.kubernetes.protobuf"
V2 = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
BETA = V2.replace("v=v2", "v=v2beta1")
OPENAPI_V2 = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
OPENAPI_V3 = "application/com.github.proto-openapi.spec.v3@v1.0+protobuf"

PATHS = ["/", "/api", "/api/v1", "/apis", "/apis/", GROUP, f"{GROUP}/", VERSION, f"{VERSION}/", "/openapi", "/openapi/v2", "/openapi/v3",
         f"/openapi/v3{VERSION}", "/openapi/v3/version", "/version", "/version/", "/healthz", "/livez", "/readyz", "/healthz/ping",
         "/livez/ping", "/nope", "/apis/nope", "/apis/nope/v1", f"{GROUP}/v2", "/.well-known/openid-configuration"]


def matrix():
    """The requests: name of the user, method, path, further headers."""
    asked = []
    for user in USERS:
        asked += [(user, "GET", path, {}) for path in PATHS + [METRIC]]
    forms = [JSON, "*/*", "application/*", "text/html", "application/yaml", PROTOBUF, "garbage", "application/xml,application/json;q=0.5",
             V2, BETA, f"{V2},{BETA},{JSON}", f"{V2},{BETA}", f"{BETA},{V2}", f"{V2};profile=nopeer", V2.replace("v=v2", "v=v3"), V2.replace("apidiscovery", "other"),
             V2.replace(JSON, "application/yaml"), V2.replace(JSON, PROTOBUF), "application/json;as=Table;g=meta.k8s.io;v=v1", OPENAPI_V2,
             OPENAPI_V3, "application/com.github.proto-openapi.spec.v2.v1.0+protobuf", "application/com.github.proto-openapi.spec.v3.v1.0+protobuf"]
    for path in ["/apis", GROUP, VERSION, "/openapi/v2", f"/openapi/v3{VERSION}", METRIC]:
        asked += [("admin", "GET", path, {"Accept": form}) for form in forms]
    asked += [("admin", "GET", path, {"Accept": form}) for path in ["/api", "/openapi/v3", "/version", "/healthz"] for form in ["text/html", V2]]
    methods = ["HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
    for path in ["/", "/apis", GROUP, VERSION, "/openapi/v2", "/openapi/v3", f"/openapi/v3{VERSION}", "/version", "/healthz", "/nope", METRIC]:
        asked += [("admin", method, path, {}) for method in methods]
    asked += [("alice", method, path, {}) for path in ["/apis", "/healthz", METRIC] for method in methods]
    asked += [("kube-aggregator", "GET", "/apis", {"Accept": f"{V2},{BETA}"}), ("kube-aggregator", "GET", VERSION, {"Accept": JSON}),
              ("aggregator", "GET", "/openapi/v2", {"Accept": JSON}), ("aggregator", "GET", "/openapi/v3", {})]
    selected = "labelSelector=scaledobject.keda.sh%2Fname%3Dnone"
    for user in ["admin", "hpa by proxy", "alice"]:
        asked += [(user, "GET", path, {}) for path in [
            f"{METRIC}?watch=true", f"{METRIC}?{selected}", f"{METRIC}?{selected}&watch=1", f"{METRIC}?labelSelector=a%20in", f"{METRIC}/more", f"{METRIC}/more/still",
            f"{VERSION}/s0-none", f"{VERSION}/namespaces/nowhere", f"{VERSION}/namespaces", f"{VERSION}/watch/namespaces/nowhere/s0-none", f"{METRIC}/"]]
    asked += [("admin", "GET", f"{path}?pretty=true", {}) for path in ["/apis", VERSION, "/version"]]
    asked += [("admin", "GET", path, {"Accept-Encoding": "gzip"}) for path in ["/openapi/v2", "/openapi/v3", f"/openapi/v3{VERSION}", "/apis"]]
    asked += [("admin", "GET", path, {"If-None-Match": "ETAG", **more}) for path, more in [
        ("/apis", {"Accept": V2}), ("/apis", {"Accept": BETA}), ("/openapi/v2", {}), ("/openapi/v3", {}), (f"/openapi/v3{VERSION}", {})]]
    asked += [("admin", "GET", path, {"If-None-Match": '"other"', **more}) for path, more in [("/apis", {"Accept": V2}), ("/openapi/v2", {}), ("/openapi/v3", {})]]
    asked += [("admin", "GET", f"/openapi/v3{VERSION}?hash={hash}", {}) for hash in ["HASH", "0"]]
    return asked


class Server:
    """One connection a request: what a server does to a connection is not compared."""

    def __init__(self, url):
        self.at = urllib.parse.urlsplit(url).netloc
        self.tokens = {}

    def context(self, proxied):
        context = ssl._create_unverified_context()
        if proxied:
            front = os.environ["SLUICE_PARITY_FRONT_PROXY"]
            context.load_cert_chain(f"{front}.crt", f"{front}.key")
        return context

    def token(self, account):
        if account not in self.tokens:
            command = ["kubectl", "-n", account[0], "create", "token", account[1]]
            self.tokens[account] = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
        return self.tokens[account]

    def ask(self, user, method, path, headers):
        who = USERS[user]
        connection = http.client.HTTPSConnection(self.at, context=self.context("proxy" in who), timeout=30)
        connection.putrequest(method, path, skip_accept_encoding=True)
        lines = [line.split(": ", 1) for line in who.get("proxy", []) + who.get("headers", [])] + list(headers.items())
        if "token" in who:
            lines.append(("Authorization", f"Bearer {self.token(who['token'])}"))
        for name, value in lines:
            connection.putheader(name, value)
        connection.putheader("User-Agent", "aggregation")
        connection.endheaders()
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        if answer.getheader("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        return answer, body

    def record(self, user, method, path, headers):
        plain = {name: value for name, value in headers.items() if name != "If-None-Match"}
        if headers.get("If-None-Match") == "ETAG":
            headers = {**headers, "If-None-Match": self.ask(user, method, path, plain)[0].getheader("Etag") or "none"}
        asked = path
        if path.endswith("?hash=HASH"):
            index = json.loads(self.ask(user, "GET", "/openapi/v3", {})[1] or "{}")
            url = index.get("paths", {}).get(VERSION.lstrip("/"), {}).get("serverRelativeURL", "")
            asked = url or path
        return normal(*self.ask(user, method, asked, headers))


def normal(answer, body):
    """What of an answer can be the same on two servers."""
    found = {"code": answer.status}
    names = ["Content-Type", "Vary", "Cache-Control", "Content-Encoding", "Allow", "Retry-After", "X-Content-Type-Options"]
    found["headers"] = {name: answer.getheader(name) for name in names if answer.getheader(name) is not None}
    for name in ["Etag", "Expires", "Location", "Last-Modified"]:
        if answer.getheader(name) is not None:
            found["headers"][name] = "…"
    kind = (answer.getheader("Content-Type") or "").split(";")[0]
    if kind == "application/json" and body:
        found["json"] = abridged(json.loads(body))
    elif "protobuf" in kind or "yaml" in kind:
        found["bytes"] = bool(body)
    else:
        found["text"] = body.decode(errors="replace")
    return found


def abridged(value):
    """OpenAPI by its names, the index without its hashes, versions of programs left out."""
    if not isinstance(value, dict):
        return value
    if "swagger" in value or "openapi" in value:
        definitions = value.get("definitions") or value.get("components", {}).get("schemas", {})
        return {"version": value.get("swagger") or value.get("openapi"),
                "paths": {path: sorted(key for key in item if key != "parameters") for path, item in value["paths"].items() if path.startswith("/apis/external")},
                "definitions": sorted(name for name in definitions if "external" in name)}
    if "gitVersion" in value:
        return [name for name in sorted(value) if not name.startswith(("emulation", "minCompatibility"))]
    if list(value) == ["paths"] and isinstance(value["paths"], list):
        # Checks of its own parts, and metrics, are each program's own.
        own = ("/healthz/", "/livez/", "/readyz/", "/metrics")
        return {"paths": [path for path in value["paths"] if not path.startswith(own)]}
    if isinstance(value.get("paths"), dict) and all("serverRelativeURL" in item for item in value["paths"].values()):
        return {"paths": {path: item["serverRelativeURL"].split("=")[0] for path, item in value["paths"].items()}}
    if value.get("kind") == "Status":
        # Ours are JSON and YAML.
        value = {**value, "message": value["message"].replace(", application/vnd.kubernetes.protobuf", "")}
    if "groups" in value:
        # Where clients of which network find the server: optional, and each server's own.
        value = {**value, "groups": [{name: held for name, held in group.items() if name != "serverAddressByClientCIDRs"} for group in value["groups"]]}
    return value


def place(answers, answer):
    """Where an answer stands among the different ones."""
    if answer not in answers:
        answers.append(answer)
    return answers.index(answer)


def explained(differences, path, headers):
    """Why an answer is another on purpose; `differences.json` beside the recording says it for this and for `cargo test`."""
    for one in differences:
        if path in one.get("paths", [path]) and any(text in headers.get("Accept", "") for text in one.get("accept", [""])):
            return one["why"]
    return None


def main():
    command, url = sys.argv[1:3]
    server = Server(url)
    if command == "record":
        answers = []
        requests = [[*request, place(answers, server.record(*request))] for request in matrix()]
        rows = [",\n".join(json.dumps(row, ensure_ascii=False, sort_keys=True) for row in rows) for rows in [answers, requests]]
        print(f'{{"users": {json.dumps(USERS)},\n"answers": [\n{rows[0]}\n],\n"requests": [\n{rows[1]}\n]}}')
        return 0
    with open(sys.argv[3]) as file:
        recorded = json.load(file)
    with open(os.path.join(os.path.dirname(sys.argv[3]), "differences.json")) as file:
        differences = json.load(file)
    alike = unexplained = 0
    for *request, answer in recorded["requests"]:
        held, got = recorded["answers"][answer], server.record(*request)
        for name in ["Expires", "Last-Modified"]:
            # No promise that a client needs beside the ETag.
            held["headers"].pop(name, None)
            got["headers"].pop(name, None)
        if got == held:
            alike += 1
        elif why := explained(differences, request[2], request[3]):
            print(f"differs on purpose ({why}): {request}")
        else:
            unexplained += 1
            print(f"DIFFERS {request}\n  recorded {json.dumps(held, ensure_ascii=False)}\n  answered {json.dumps(got, ensure_ascii=False)}")
    print(f"{alike} of {len(recorded['requests'])} alike, {unexplained} unexplained")
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
