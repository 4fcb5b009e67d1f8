"""A client of a Kubernetes API server by its kubeconfig: HTTP with connections that stay open, and watches."""

import base64
import concurrent.futures
import contextlib
import http.client
import json
import os
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import urllib.parse

import yaml

# Requests that wait for an answer end after so many seconds.
LIMIT = 60
PARALLEL = 16


class Refused(Exception):
    """The API server refused a request."""

    def __init__(self, method, path, code, body):
        message = body.get("message", body) if isinstance(body, dict) else body
        super().__init__(f"{method} {path}: {code} {message}")
        self.code = code


class Late(Exception):
    """A wait reached its deadline."""


def until(what, seconds, check, pause=0.2):
    """Calls `check` until it returns something that counts as true. A text that it returns in a tuple (None, text) is kept
    for the message of the deadline."""
    end, seen = time.monotonic() + seconds, ""
    while True:
        found = check()
        if isinstance(found, tuple):
            found, seen = found
        if found:
            return found
        if time.monotonic() >= end:
            raise Late(f"{what}: not within {seconds} s" + (f"; last seen: {seen}" if seen else ""))
        time.sleep(pause)


class Api:
    """One API server as one user."""

    def __init__(self, kubeconfig, context=None):
        with open(kubeconfig) as file:
            config = yaml.safe_load(file)
        named = lambda kind, name: next(one for one in config[kind] if one["name"] == name)
        context = named("contexts", context or config["current-context"])["context"]
        cluster = named("clusters", context["cluster"])["cluster"]
        self.user = named("users", context["user"])["user"]
        self.server, self.folder = cluster["server"], os.path.dirname(os.path.abspath(kubeconfig))
        place = urllib.parse.urlsplit(self.server)
        self.host, self.port = place.hostname, place.port or 443
        self.ca = self._data(cluster, "certificate-authority")
        self.tls = ssl.create_default_context()
        if cluster.get("insecure-skip-tls-verify"):
            self.tls.check_hostname, self.tls.verify_mode = False, ssl.CERT_NONE
        elif self.ca:
            self.tls.load_verify_locations(cadata=self.ca.decode())
        certificate, key = (self._data(self.user, name) for name in ("client-certificate", "client-key"))
        if certificate:
            with tempfile.NamedTemporaryFile() as file:
                file.write(certificate + b"\n" + key)
                file.flush()
                self.tls.load_cert_chain(file.name)
        self._token, self._token_end = self.user.get("token"), None
        self._lock, self._local = threading.Lock(), threading.local()
        self.pool = concurrent.futures.ThreadPoolExecutor(PARALLEL)

    def _data(self, holder, name):
        if f"{name}-data" in holder:
            return base64.b64decode(holder[f"{name}-data"])
        if name in holder:
            with open(os.path.join(self.folder, holder[name]), "rb") as file:
                return file.read()
        return None

    def token(self):
        """The bearer token, of the kubeconfig's program if it names one."""
        plugin = self.user.get("exec")
        if not plugin:
            return self._token
        with self._lock:
            # Ten minutes: tokens of EKS live for 14.
            if self._token_end is None or time.monotonic() > self._token_end:
                variables = {one["name"]: one["value"] for one in plugin.get("env") or []}
                command = [plugin["command"], *(plugin.get("args") or [])]
                done = subprocess.run(command, env={**os.environ, **variables}, capture_output=True, text=True, check=True, timeout=LIMIT)
                self._token, self._token_end = json.loads(done.stdout)["status"]["token"], time.monotonic() + 600
            return self._token

    def _headers(self):
        token = self.token()
        return {"Accept": "application/json", "User-Agent": "sluice-bench", **({"Authorization": f"Bearer {token}"} if token else {})}

    def call(self, method, path, body=None, content="application/json", missing=None):
        """The answer's body. `missing` is a set of codes that are answered by None instead of an error. An API server that has too
        much to do says when to come back."""
        end = time.monotonic() + LIMIT
        while True:
            code, value, again = self._exchange(method, path, body, content)
            if code != 429 or time.monotonic() > end:
                break
            time.sleep(again)
        if code >= 400:
            if code in (missing or ()):
                return None
            raise Refused(method, path, code, value)
        return value

    def _exchange(self, method, path, body, content):
        data = None if body is None else json.dumps(body)
        headers = {**self._headers(), **({"Content-Type": content} if data is not None else {})}
        for attempt in (0, 1):
            connection = getattr(self._local, "connection", None)
            fresh = connection is None
            if fresh:
                connection = self._local.connection = http.client.HTTPSConnection(self.host, self.port, context=self.tls, timeout=LIMIT)
            try:
                connection.request(method, path, data, headers)
                answer = connection.getresponse()
                text = answer.read()
                break
            except (OSError, http.client.HTTPException):
                connection.close()
                self._local.connection = None
                # A connection that was kept may have ended meanwhile; a new one that fails is a failure.
                if fresh or attempt:
                    raise
        try:
            value = json.loads(text)
        except ValueError:
            value = text.decode("utf-8", "replace")
        return answer.status, value, float(answer.headers.get("Retry-After") or 1)

    def get(self, path):
        """The object, or None if there is none."""
        return self.call("GET", path, missing={404})

    def post(self, path, body):
        """Creates an object; one that exists is a refusal."""
        return self.call("POST", path, body)

    def patch(self, path, body, content="application/merge-patch+json"):
        return self.call("PATCH", path, body, content)

    def apply(self, path, body):
        return self.call("PATCH", f"{path}?fieldManager=sluice-bench&force=true", body, "application/apply-patch+yaml")

    def delete(self, path, body=None):
        return self.call("DELETE", path, body, missing={404})

    def together(self, work, items):
        """Does `work` for all items, some at a time, and returns when all are done."""
        return list(self.pool.map(work, items))

    def watch(self, path):
        """A collection's objects and changes, in a thread of its own."""
        return Watch(self, path)

    def open(self, path):
        """A request whose answer is read as it comes."""
        connection = http.client.HTTPSConnection(self.host, self.port, context=self.tls, timeout=600)
        connection.request("GET", path, headers=self._headers())
        opened = connection.sock
        answer = connection.getresponse()
        if answer.status != 200:
            raise Refused("GET", path, answer.status, answer.read().decode("utf-8", "replace"))
        return opened, answer


class Watch:
    """The objects of a collection by name, kept up to date by a watch."""

    def __init__(self, api, path):
        self.objects, self.failed, self.path = {}, None, path
        self.socket, self.answer = api.open(f"{path}?watch=1&timeoutSeconds=3000")
        threading.Thread(target=self._follow, daemon=True).start()

    def _follow(self):
        try:
            for line in self.answer:
                event = json.loads(line)
                name = event["object"].get("metadata", {}).get("name")
                if event["type"] == "DELETED":
                    self.objects.pop(name, None)
                elif event["type"] in ("ADDED", "MODIFIED"):
                    self.objects[name] = event["object"]
                elif event["type"] == "ERROR":
                    self.failed = event["object"]
                    return
        except (OSError, ValueError, AttributeError, http.client.HTTPException) as error:
            self.failed = self.failed or error

    def until(self, what, seconds, check):
        """Waits for a state of the objects; `check` gets them as a list and returns (done, what was seen)."""

        def look():
            if self.failed:
                raise Late(f"{what}: the watch of {self.path} ended: {self.failed}")
            return check(list(self.objects.values()))

        return until(what, seconds, look, pause=0.05)

    def close(self):
        self.failed = "closed"
        # The thread that reads it sees its end; to close what another thread reads would wait for that thread.
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
