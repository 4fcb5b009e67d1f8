#!/usr/bin/env python3
"""Makes an EKS of moto and a real Kubernetes: stands between the product and moto, and behind the Kubernetes API server.

    python3 proxy.py --moto http://127.0.0.1:5000 --listen 192.168.77.1:15998 --kubernetes https://127.0.0.1:16443 --ca ca.crt

What it does, and nothing else:

- every call goes on to moto as it is; the answers about the cluster get the real API server's address and certificate authority,
  and how the cluster lets callers in (accessConfig), which moto forgets;
- moto has no addons and no access entries: an addon is kept here and is ACTIVE at once, the list of access entries is empty;
- /authenticate is the API server's token webhook: as on EKS, a token is a presigned GetCallerIdentity, and whoever made the
  cluster administers it, for as long as the cluster exists;
- /mutate (TLS, the next port) is a mutating webhook for pods, in the place of EKS's own: it says where AWS is;
- /_wire/inject takes names of answers.py, which are given instead of (or after) the next calls of their kind; /_wire/given says
  how often each was; /_wire/log has each exchange in the form of the local cloud's wire log.

It prints one line of JSON once it listens: the subnets of a network that it made in moto, and the webhook's CA.
"""

import argparse
import base64
import json
import pathlib
import re
import ssl
import subprocess
import tempfile
import threading
import urllib.error
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import network
from answers import Pending

SENT_ON = ("authorization", "host", "content-type", "x-amz-target", "x-amz-date", "x-amz-security-token", "accept")
SHOWN = ("content-type", "x-amz-target", "x-amzn-errortype", "x-amzn-requestid")
REST = [
    (re.compile(r"/clusters"), {"POST": "CreateCluster", "GET": "ListClusters"}),
    (re.compile(r"/clusters/[^/]+"), {"GET": "DescribeCluster", "DELETE": "DeleteCluster"}),
    (re.compile(r"/clusters/[^/]+/fargate-profiles"), {"POST": "CreateFargateProfile", "GET": "ListFargateProfiles"}),
    (re.compile(r"/clusters/[^/]+/fargate-profiles/[^/]+"), {"GET": "DescribeFargateProfile", "DELETE": "DeleteFargateProfile"}),
]
ADDONS = re.compile(r"/clusters/([^/]+)/addons(?:/([^/]+?))?(/update)?")
ENTRIES = re.compile(r"/clusters/[^/]+/access-entries")


class Call:
    """One call of AWS."""

    def __init__(self, method, target, headers, body):
        self.method, self.headers, self.body = method, headers, body
        self.path, _, self.query = target.partition("?")
        self.text = body.decode(errors="replace")
        scope = re.search(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/", headers.get("authorization", ""))
        self.service = scope[1] if scope else "sts"
        self.operation = self.named()

    def named(self):
        if "x-amz-target" in self.headers:
            return self.headers["x-amz-target"].split(".")[-1]
        if self.service == "eks":
            return next((names.get(self.method) for path, names in REST if path.fullmatch(self.path)), None)
        fields = urllib.parse.parse_qs(self.query + "&" + self.text)
        return fields.get("Action", [None])[0]


class Eks:
    """What moto lacks."""

    def __init__(self, endpoint, authority):
        self.endpoint, self.authority = endpoint, base64.b64encode(authority).decode()
        self.addons, self.access, self.clusters = {}, {}, set()

    def addon(self, call):
        match = ADDONS.fullmatch(call.path)
        if not match:
            return (200, {"accessEntries": []}) if ENTRIES.fullmatch(call.path) and call.method == "GET" else None
        cluster, name, _ = match.groups()
        mine = self.addons.setdefault(cluster, {})
        if call.method == "POST" and not name:
            wanted = json.loads(call.text)
            kept = {key: wanted[key] for key in ("addonName", "configurationValues", "tags") if key in wanted}
            mine[wanted["addonName"]] = {**kept, "clusterName": cluster, "status": "ACTIVE", "addonVersion": "v1.11.4-eksbuild.2", "health": {"issues": []},
                "addonArn": f"arn:aws:eks:eu-west-1:123456789012:addon/{cluster}/{wanted['addonName']}/1"}  # fmt: skip
            return 200, {"addon": mine[wanted["addonName"]]}
        if call.method == "GET" and not name:
            return 200, {"addons": sorted(mine)}
        if name not in mine:
            return 404, {"__type": "ResourceNotFoundException", "message": f"No addon: {name} found in cluster: {cluster}"}
        return 200, {"addon": mine.pop(name) if call.method == "DELETE" else mine[name]}

    def patched(self, call, status, body):
        """An answer of moto with the real cluster in it."""
        if status >= 300 or call.operation not in ("CreateCluster", "DescribeCluster", "DeleteCluster"):
            return body
        answer = json.loads(body)
        cluster = answer["cluster"]
        if call.operation == "CreateCluster":
            self.access[cluster["name"]] = json.loads(call.text)["accessConfig"]
        cluster["accessConfig"] = self.access[cluster["name"]]
        if call.operation == "DeleteCluster":
            self.clusters.discard(cluster["name"])
        else:
            self.clusters.add(cluster["name"])
        cluster["endpoint"] = self.endpoint
        cluster["certificateAuthority"] = {"data": self.authority}
        return json.dumps(answer).encode()


class Wire:
    """The whole: moto behind, what is given instead, what was said."""

    def __init__(self, options):
        self.moto, self.listen = options.moto, options.listen
        self.eks = Eks(options.kubernetes, pathlib.Path(options.ca).read_bytes())
        self.pending, self.log, self.lock = Pending(), [], threading.Lock()

    def answer(self, call):
        with self.lock:
            instead = self.pending.take(call.service, call.operation, call.path + call.text)
        if instead and instead.get("done"):
            self.from_moto(call)
        if instead:
            return self.failure(call, *instead["answer"])
        if call.service == "eks" and (own := self.eks.addon(call)):
            status, body = own
            return status, {"content-type": "application/json", **self.error_type(body)}, json.dumps(body).encode()
        status, headers, body = self.from_moto(call)
        if status == 404:
            with self.lock:
                instead = self.pending.take(call.service, call.operation, call.path, absent=True)
            if instead:
                return self.failure(call, *instead["answer"])
        return status, headers, self.eks.patched(call, status, body) if call.service == "eks" else body

    def error_type(self, body):
        return {"x-amzn-errortype": body["__type"]} if "__type" in body else {}

    def from_moto(self, call):
        target = call.path + ("?" + call.query if call.query else "")
        headers = {name: value for name, value in call.headers.items() if name in SENT_ON}
        request = urllib.request.Request(self.moto + target, data=call.body or None, headers=headers, method=call.method)
        try:
            answer = urllib.request.urlopen(request, timeout=60)
        except urllib.error.HTTPError as error:
            answer = error
        return answer.status, {name.lower(): value for name, value in answer.headers.items()}, answer.read()

    def failure(self, call, status, code, message):
        if call.service == "eks":
            return status, {"content-type": "application/json", "x-amzn-errortype": code}, json.dumps({"message": message}).encode()
        text = f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error><RequestId>1</RequestId></ErrorResponse>"
        return status, {"content-type": "text/xml"}, text.encode()

    def record(self, call, status, headers, body):
        shown = lambda all: {name: all[name] for name in SHOWN if name in all}
        line = {
            "service": call.service,
            "caller": None,
            "authorized": [],
            "request": {"method": call.method, "path": call.path, "query": call.query, "headers": shown(call.headers), "body": call.text},
            "answer": {"status": status, "headers": shown(headers), "body": body.decode(errors="replace")},
        }
        with self.lock:
            self.log.append(json.dumps(line))

    def review(self, token):
        """Who a token is, as EKS finds out."""
        try:
            encoded = token.removeprefix("k8s-aws-v1.")
            url = urllib.parse.urlsplit(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode())
        except ValueError:
            return {"authenticated": False, "error": "it is no EKS token"}
        if not token.startswith("k8s-aws-v1.") or url.netloc != self.listen or "x-k8s-aws-id" not in url.query:
            return {"authenticated": False, "error": f"{url.netloc} is not STS"}
        if not self.eks.clusters:
            return {"authenticated": False, "error": "the cluster does not exist"}
        # moto knows a service by the scope of an Authorization header, which a presigned address has in its query.
        scope = urllib.parse.parse_qs(url.query).get("X-Amz-Credential", [""])[0]
        headers = {"authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0", "content-type": "application/x-www-form-urlencoded"}
        call = Call("POST", "/", headers, b"Action=GetCallerIdentity&Version=2011-06-15")
        status, _, body = self.from_moto(call)
        arn = re.search(r"<Arn>([^<]+)</Arn>", body.decode())
        if status != 200 or not arn:
            return {"authenticated": False, "error": f"STS answers {status}"}
        return {"authenticated": True, "user": {"username": arn[1], "groups": ["system:masters"]}}

    def mutate(self, review):
        """Each container gets the address of AWS."""
        patch = []
        for index, container in enumerate(review["request"]["object"]["spec"]["containers"]):
            named = [one["name"] for one in container.get("env", [])]
            if "env" not in container:
                patch.append({"op": "add", "path": f"/spec/containers/{index}/env", "value": []})
            if "AWS_ENDPOINT_URL" not in named:
                value = {"name": "AWS_ENDPOINT_URL", "value": f"http://{self.listen}"}
                patch.append({"op": "add", "path": f"/spec/containers/{index}/env/-", "value": value})
        response = {"uid": review["request"]["uid"], "allowed": True, "patchType": "JSONPatch", "patch": base64.b64encode(json.dumps(patch).encode()).decode()}
        return {**{key: review[key] for key in ("apiVersion", "kind")}, "response": response}

    def own(self, path, body):
        """The pages of this program itself."""
        if path == "/_wire/inject":
            with self.lock:
                self.pending.clear()
                self.pending.add(json.loads(body))
            return {}
        if path == "/_wire/given":
            return {"given": self.pending.given, "waiting": [one["name"] for one in self.pending.waiting]}
        if path == "/_wire/log":
            return {"log": "\n".join(self.log)}
        if path == "/authenticate":
            review = json.loads(body)
            return {**{key: review[key] for key in ("apiVersion", "kind")}, "status": self.review(review["spec"]["token"])}
        return self.mutate(json.loads(body)) if path == "/mutate" else None


def handler(wire):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do(self):
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            # A webhook's caller says in a query how long it waits.
            own = wire.own(self.path.partition("?")[0], body)
            if own is not None:
                return self.reply(200, {"content-type": "application/json"}, json.dumps(own).encode())
            call = Call(self.command, self.path, {name.lower(): value for name, value in self.headers.items()}, body)
            answer = wire.answer(call)
            wire.record(call, *answer)
            return self.reply(*answer)

        def reply(self, status, headers, body):
            self.send_response(status)
            for name in (*SHOWN, "content-type"):
                if name in headers and name != "x-amz-target":
                    self.send_header(name, headers[name])
                    headers = {key: value for key, value in headers.items() if key != name}
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_DELETE = do

        def log_message(self, *_):
            pass

    return Handler


def secured(server, host):
    """The server by TLS, with a certificate of its own; the certificate."""
    folder = pathlib.Path(tempfile.mkdtemp())
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=webhook"]
    subprocess.run([*words, "-addext", f"subjectAltName=IP:{host}", "-keyout", key, "-out", certificate], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    return certificate.read_text()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("moto", "listen", "kubernetes", "ca"):
        parser.add_argument(f"--{name}", required=True)
    options = parser.parse_args()
    host, port = options.listen.rsplit(":", 1)
    wire = Wire(options)
    plain = ThreadingHTTPServer((host, int(port)), handler(wire))
    webhook = ThreadingHTTPServer((host, int(port) + 1), handler(wire))
    authority = secured(webhook, host)
    threading.Thread(target=webhook.serve_forever, daemon=True).start()
    print(json.dumps({"subnets": network.make(options.moto), "webhook": f"https://{host}:{int(port) + 1}/mutate", "authority": authority}), flush=True)
    plain.serve_forever()


if __name__ == "__main__":
    main()
