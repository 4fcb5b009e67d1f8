"""What the cases share: the two sides, how an answer is made comparable, and the list of known differences.

A case is a function that is run once against each side and gives a value made of JSON. Both values are made comparable
(`normal`) and compared leaf by leaf; every difference has an id, `case: path`, and either stands in the list with
exactly these two values or fails.
"""

import base64
import concurrent.futures
import http.client
import json
import os
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
import traceback
import urllib.parse
from pathlib import Path

HERE = Path(__file__).parent
NAMESPACE = "parity"
sys.path.insert(0, str(HERE.parent / "parity"))
from rules import RULES, replaced, replacements  # noqa: E402
from tape import Tape  # noqa: E402

# Differs per object and run; what such a field holds is compared as "there or not", and as the same type.
VOLATILE = set(RULES["kubernetes"]["volatile"])
TEXTS = replacements(RULES["kubernetes"]["texts"])
CELLS = replacements(RULES["kubernetes"]["cells"])
# The exchanges of the test that runs in this thread.
RUNNING = threading.local()



class Side:
    """One of the two clusters, driven as the same ServiceAccount on both, so that messages name the same user."""

    def __init__(self, name, kubeconfig, scratch):
        self.name = name
        self.kubeconfig = kubeconfig
        view = json.loads(self._given("config", "view", "--minify", "--raw", "-o", "json"))
        cluster = view["clusters"][0]["cluster"]
        self.server = cluster["server"]
        context = ssl.create_default_context()
        if "certificate-authority-data" in cluster:
            context.load_verify_locations(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
        elif "certificate-authority" in cluster:
            context.load_verify_locations(cafile=cluster["certificate-authority"])
        else:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.tls = context
        self.token = None
        self.cache = str(scratch / f"cache-{name}")
        self.own_kubeconfig = str(scratch / f"{name}.kubeconfig")
        self.cluster = view["clusters"][0]

    def _given(self, *arguments, stdin=None):
        """kubectl with the credentials that were given."""
        command = ["kubectl", "--kubeconfig", self.kubeconfig, *arguments]
        return subprocess.run(command, input=stdin, text=True, capture_output=True, check=True).stdout

    def begin(self):
        """The driver: a ServiceAccount with cluster-admin, and the namespace of the tests."""
        self.end()
        objects = [
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "parity-driver"}},
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "driver", "namespace": "parity-driver"}},
            {
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
                "metadata": {"name": "parity-driver"},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
                "subjects": [{"kind": "ServiceAccount", "name": "driver", "namespace": "parity-driver"}],
            },
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        ]
        document = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
        self._given("apply", "-f", "-", stdin=document)
        self.token = self._given("-n", "parity-driver", "create", "token", "driver", "--duration=2h").strip()
        config = {
            "apiVersion": "v1", "kind": "Config", "current-context": "c", "clusters": [self.cluster],
            "users": [{"name": "driver", "user": {"token": self.token}}],
            "contexts": [{"name": "c", "context": {"cluster": self.cluster["name"], "user": "driver", "namespace": NAMESPACE}}],
        }
        with open(os.open(self.own_kubeconfig, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(config, file)
        until("the default ServiceAccount", lambda: self.get(f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/default")["status"] == 200)

    def end(self):
        self._given("delete", "namespace", NAMESPACE, "parity-driver", "--ignore-not-found", "--wait=false")
        # A case that ends halfway leaves objects that its own finalizers hold.
        for kind in ("configmaps", "deployments", "things.parity.example.com"):
            try:
                held = self._given("-n", NAMESPACE, "get", kind, "-o", "name", "--ignore-not-found").split()
            except subprocess.CalledProcessError:
                continue  # the kind is not served
            for name in held:
                patch = ["patch", name, "--type=merge", "-p", '{"metadata":{"finalizers":null}}']
                subprocess.run(["kubectl", "--kubeconfig", self.kubeconfig, "-n", NAMESPACE, *patch], capture_output=True, check=False)
        for name in (NAMESPACE, "parity-driver"):
            self._given("wait", "--for=delete", f"namespace/{name}", "--timeout=60s")
        self._given("delete", "clusterrolebinding", "parity-driver", "--ignore-not-found")

    def call(self, method, path, body=None, *, content="application/json", accept="application/json", headers=None, token=None, limit=None):
        """One request. The answer is the status, the headers that matter, and the body, as JSON if it is that."""
        place = urllib.parse.urlsplit(self.server)
        connection = http.client.HTTPSConnection(place.hostname, place.port or 443, context=self.tls, timeout=30)
        sent = {"Accept": accept, "User-Agent": "parity/1", "Authorization": f"Bearer {token or self.token}", **(headers or {})}
        data = body if isinstance(body, (str, bytes, type(None))) else json.dumps(body)
        if data is not None:
            sent["Content-Type"] = content
        try:
            connection.request(method, path, data, sent)
            answer = connection.getresponse()
            text = answer.read() if limit is None else b"".join(answer.readline() for _ in range(limit))
        finally:
            connection.close()
        # A warning's agent is `-` on both; the length and the date are the transport's business.
        kept = {name: answer.headers.get_all(name) for name in RULES["kubernetes"]["headers"]}
        text = text.decode("utf-8", "replace")
        try:
            value = json.loads(text)
        except ValueError:
            value = text
        found = {"status": answer.status, "headers": {name: held for name, held in kept.items() if held}, "body": value}
        if tape := getattr(RUNNING, "tape", None):
            given = {"accept": accept if accept != "application/json" else None, "headers": headers, "token": token, "body": body}
            given |= {"content": content if data is not None and content != "application/json" else None}
            tape.add({"method": method, "path": path, **{name: held for name, held in given.items() if held is not None}}, found)
        return found

    def get(self, path, **options):
        return self.call("GET", path, **options)

    def post(self, path, body, **options):
        return self.call("POST", path, body, **options)

    def put(self, path, body, **options):
        return self.call("PUT", path, body, **options)

    def delete(self, path, body=None, **options):
        return self.call("DELETE", path, body, **options)

    def patch(self, path, body, kind="merge", **options):
        kinds = {
            "json": "application/json-patch+json", "merge": "application/merge-patch+json",
            "strategic": "application/strategic-merge-patch+json", "apply": "application/apply-patch+yaml",
        }
        return self.call("PATCH", path, body, content=kinds.get(kind, kind), **options)

    def watch(self, path, seconds=1):
        """The events of a watch that ends by itself after these seconds."""
        joint = "&" if "?" in path else "?"
        answer = self.get(f"{path}{joint}watch=1&timeoutSeconds={seconds}")
        if answer["status"] != 200:
            return answer
        body = answer["body"]
        lines = [json.dumps(body)] if isinstance(body, dict) else body.splitlines()
        return {**answer, "body": [json.loads(line) for line in lines if line]}

    def kubectl(self, *arguments, stdin=None):
        """Stock kubectl: exit code and both outputs."""
        command = ["kubectl", "--kubeconfig", self.own_kubeconfig, "--cache-dir", self.cache, *arguments]
        done = subprocess.run(command, input=stdin, text=True, capture_output=True, timeout=120, check=False)
        shown = [line for line in done.stderr.splitlines() if not line.startswith("WARNING: version difference")]
        return {"exit": done.returncode, "out": done.stdout, "err": "\n".join(shown)}


def until(what, check, seconds=60):
    """Asks again until `check` gives something that counts as true."""
    end = time.monotonic() + seconds
    tape = getattr(RUNNING, "tape", None) or Tape()
    mark = tape.mark()
    while time.monotonic() < end:
        tape.forget(mark)
        found = check()
        if found:
            tape.polled(mark)
            return found
        time.sleep(0.1)
    raise AssertionError(f"no {what} within {seconds} s")


# -- comparing ----------------------------------------------------------------------------------------------------------


def normal(value, key=""):
    """The same value with all that must differ between two clusters replaced by its kind."""
    if isinstance(value, dict):
        # Keys of managedFields hold uids of owners.
        return {replaced(name, TEXTS[:1]): normal(held, name) for name, held in value.items()}
    if isinstance(value, list) and key == "managedFields":
        # They are in the order of their times, to the second.
        value = sorted(value, key=lambda entry: [str(entry.get(part, "")) for part in ("operation", "manager", "subresource")])
    if isinstance(value, list):
        return [normal(held, key) for held in value]
    if key in VOLATILE and isinstance(value, (str, int)) and value != "":
        return f"<{key}>"
    return replaced(value, TEXTS + CELLS if key == "cells" else TEXTS) if isinstance(value, str) else value


MISSING = "(nothing)"


def is_answer(value):
    return isinstance(value, dict) and {"status", "headers", "body"} <= set(value)


def summary(answer):
    body = answer["body"]
    if isinstance(body, dict):
        body = body.get("message", body.get("kind", ""))
    return f"{answer['status']} {body}".strip()


def differences(ours, theirs, path=""):
    """Leaves that differ, as (path, ours, theirs)."""
    if is_answer(ours) and is_answer(theirs) and ours["status"] != theirs["status"]:
        # Another status is one difference; that the bodies differ too says nothing more.
        yield path, summary(ours), summary(theirs)
    elif isinstance(ours, dict) and isinstance(theirs, dict):
        for name in sorted(set(ours) | set(theirs)):
            yield from differences(ours.get(name, MISSING), theirs.get(name, MISSING), f"{path}.{name}" if path else name)
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for index, (one, other) in enumerate(zip(ours, theirs)):
            yield from differences(one, other, f"{path}[{index}]")
    elif isinstance(ours, str) and isinstance(theirs, str) and ours != theirs and "\n" in ours + theirs:
        mine, other = ours.splitlines(), theirs.splitlines()
        if len(mine) == len(other):
            yield from differences(mine, other, path)
        else:
            yield path, ours, theirs
    elif ours != theirs or type(ours) is not type(theirs):
        yield path, ours, theirs


def shown(value):
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def alike(pattern, text):
    """`*` in the list stands for any text, for one difference that shows in many places."""
    return re.fullmatch(".*".join(re.escape(part) for part in pattern.split("*")), text, re.DOTALL) is not None


class Listed:
    """The differences that have a reason, from a TOML file."""

    def __init__(self, file):
        self.entries = tomllib.loads(file.read_text()).get("difference", []) if file.exists() else []
        for entry in self.entries:
            if set(entry) != {"id", "ours", "theirs", "reason"} or not entry["reason"]:
                sys.exit(f"{file.name}: every difference has an id, ours, theirs and a reason: {entry}")
        self.met = set()

    def has(self, identity, ours, theirs):
        for index, entry in enumerate(self.entries):
            pairs = ((entry["id"], identity), (entry["ours"], ours), (entry["theirs"], theirs))
            if all(alike(pattern, text) for pattern, text in pairs):
                self.met.add(index)
                return entry["id"]
        return None

    def gone(self, ran):
        """Entries of cases that ran and whose difference did not occur."""
        return [e for i, e in enumerate(self.entries) if i not in self.met and e["id"].split(": ")[0] in ran]


def sides():
    """Both sides, or a line that says what to set."""
    names = {"ours": "SLUICE_PARITY_OURS_KUBECONFIG", "real": "SLUICE_PARITY_REAL_KUBECONFIG"}
    missing = [variable for variable in names.values() if not os.environ.get(variable)]
    if not shutil.which("kubectl"):
        print("skipped: there is no kubectl on PATH")
        sys.exit(0)
    if missing:
        print(f"skipped: set {' and '.join(missing)} to kubeconfigs with cluster-admin (of the local cloud, and of a real cluster)")
        sys.exit(0)
    scratch = Path(tempfile.mkdtemp(prefix="parity-"))
    return [Side(name, os.environ[variable], scratch) for name, variable in names.items()], scratch


def evaluate(name, ours, theirs, listed, out=print):
    """Compares one case's two values; returns whether it passed."""
    found = [(path, shown(one), shown(other)) for path, one, other in differences(normal(ours), normal(theirs))]
    fresh = [(p, o, t) for p, o, t in found if not listed.has(f"{name}: {p}", o, t)]
    if not fresh:
        out(f"ok    {name}" + (f" ({len(found)} listed)" if found else ""))
        return True
    out(f"FAIL  {name}")
    for path, one, other in fresh:
        out(f"      {path}\n        ours:   {one}\n        theirs: {other}")
    return False


def run_side(case, side):
    """What the case returns on this side, and its exchanges."""
    RUNNING.tape = Tape()
    try:
        value = case(side)
        RUNNING.tape.name(value)
        return value, RUNNING.tape
    except Exception:  # a case that breaks on one side only is a difference like any other
        traceback.print_exc()
        return {"broken": traceback.format_exc().splitlines()[-1]}, RUNNING.tape


def close(passed, failed, listed, ran):
    for entry in listed.gone(ran):
        failed += 1
        print(f"FAIL  the difference {entry['id']!r} is listed but no longer occurs; take it out of the list")
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


def run(cases, file, recorder=None):
    """All cases (or those whose names hold one of the arguments), each on both sides at once; their exchanges go to the recorder."""
    pair, scratch = sides()
    wanted = sys.argv[1:]
    chosen = [case for case in cases if not wanted or any(word in case.__name__ for word in wanted)]
    listed, passed, failed = Listed(file), 0, 0
    try:
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            list(pool.map(Side.begin, pair))
            for case in chosen:
                (ours, our_tape), (theirs, their_tape) = pool.map(lambda side: run_side(case, side), pair)
                name = case.__name__.replace("_", " ")
                stale = recorder.take(name, our_tape, their_tape, listed) if recorder else []
                print(*(f"FAIL  {name}: {line}" for line in stale), sep="\n", end="\n" if stale else "")
                if evaluate(name, ours, theirs, listed) and not (isinstance(ours, dict) and "broken" in ours) and not stale:
                    passed += 1
                else:
                    failed += 1
    finally:
        for side in pair:
            side.end()
        shutil.rmtree(scratch, ignore_errors=True)
    for line in recorder.close() if recorder and not wanted else []:
        failed += 1
        print(f"FAIL  {line}")
    close(passed, failed, listed, {case.__name__.replace("_", " ") for case in chosen})
