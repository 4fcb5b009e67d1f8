#!/usr/bin/env python3
"""Measures the operator with N ScaledObjects, on the local target or on any Kubernetes, beside KEDA if that is there.

    just bench                                     the local target, 100 objects, a table
    just bench --objects 1000 --case ready,idle    only these cases
    just bench --kubeconfig FILE --keda FOLDER      
                                                   on that cluster, and then the same with KEDA

Needs Python 3.11 with boto3 and PyYAML (`just bench` has them in target/venv) and a built `sluice`. The operator runs as a process of
this machine with the rights of its own ServiceAccount; SQS, STS and IAM are the local cloud's, in real time. No container
runs: workloads are Deployments whose pods no scheduler takes. On a kubeconfig of yours the API server must reach this
machine (--address).

CPU and memory come from /proc; where the API server is no process of this machine, its CPU is not shown. API requests come
from its audit log (--audit-log, or the --audit-log-path of its process), AWS calls from the local cloud's trail.
"""

import argparse
import json
import os
import platform
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

import botocore.exceptions

import cases
import machine
import objects
import table
from api import Api, Late, Refused, until
from cloud import Cloud
from logs import Log
from operators import Keda, Sluice, There
from slow import Slow

ROOT = Path(__file__).resolve().parents[2]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--objects", type=int, default=100, metavar="N", help="ScaledObjects (100)")
    add("--case", default=",".join(cases.CASES), metavar="NAMES", help=f"with commas, of {', '.join(cases.CASES)} (all)")
    add("--seconds", type=int, default=60, help="length of a measured span (60)")
    add("--settle", type=int, default=20, help="seconds of rest before a span (20)")
    add("--polling", type=int, default=30, help="pollingInterval of the objects (30)")
    add("--trials", type=int, default=3, help="times that a latency is measured (3)")
    add("--rate", type=float, default=10, help="changes a second in the case changes (10)")
    add("--change-seconds", type=int, default=60, help="length of the case changes (60)")
    add("--sts-seconds", type=float, default=2, help="how late STS answers in the case refused (2)")
    add("--refused-polling", type=int, default=10, help="pollingInterval in the case refused (10)")
    add("--annotation", action="append", default=[], metavar="KEY=VALUE", help="on each ScaledObject; may be repeated")
    add("--kubeconfig", help="a cluster of yours, without external metrics; the local target if not given")
    add("--context", help="the kubeconfig's context")
    add("--address", help="the address at which the API server reaches this machine")
    add("--audit-log", help="the API server's audit log")
    add("--sluice", default=str(ROOT / "target" / "debug" / "sluice"), help="the program (target/debug/sluice)")
    add("--operator", choices=("sluice", "there", "none"), default="sluice", help="there: what the cluster has already")
    add("--keda", metavar="FOLDER", help="measure KEDA too; FOLDER has `up` and `down` (docs/bench.md)")
    add("--json", action="store_true", help="one JSON object instead of a table")
    given = parser.parse_args()
    given.case = given.case.split(",")
    if unknown := set(given.case) - set(cases.CASES):
        parser.error(f"no case is called {', '.join(sorted(unknown))}; there are {', '.join(cases.CASES)}")
    for name in ("objects", "seconds", "polling", "trials", "change_seconds", "refused_polling"):
        if getattr(given, name) < 1:
            parser.error(f"--{name.replace('_', '-')} must be at least 1")
    if given.keda and not given.kubeconfig:
        parser.error("--keda needs --kubeconfig: KEDA runs on that cluster")
    if given.operator == "none" and not given.keda:
        parser.error("--operator none leaves nothing to measure without --keda")
    if not all("=" in one for one in given.annotation):
        parser.error("--annotation takes KEY=VALUE")
    if not os.access(given.sluice, os.X_OK):
        parser.error(f"{given.sluice} is not there; build it with `cargo build`, or name another with --sluice")
    return given


class Bench:
    """One run: what is measured, with what, and where."""

    def __init__(self, given, scratch):
        self.given, self.scratch, self.address = given, scratch, given.address
        self.count, self.seconds, self.settle, self.polling = given.objects, given.seconds, given.settle, given.polling
        self.trials, self.rate, self.change_seconds = given.trials, given.rate, given.change_seconds
        self.sts_seconds, self.refused_polling = given.sts_seconds, given.refused_polling
        self.annotations = dict(one.split("=", 1) for one in given.annotation)
        self.cloud = Cloud(Path(given.sluice).resolve(), scratch)
        self.roles, self.stranger, self.fleets = {}, None, 0

    def begin(self):
        self.cloud.start()
        self.slow = Slow(self.cloud.endpoint, 0)
        local = self.given.kubeconfig is None
        self.api = Api(self.cloud.cluster() if local else self.given.kubeconfig, self.given.context)
        # On a loopback address the operator listens on that alone, so other operators of this machine are not in its way.
        self.address = self.address or (f"127.77.{os.getpid() % 250}.1" if local else None)
        self.server = machine.listener(self.api.host, self.api.port)
        self.server_name = "local cloud" if local else "API server"
        self.audit = self.cloud.audit if local else self._audit_log()
        if not local and self.server is None:
            note("the API server is no process of this machine: its CPU cannot be had")
        if self.audit is None:
            note("the API server's audit log is not known (--audit-log): its requests are not counted")
        until(f"end of the old namespace {objects.NAMESPACE}", 60, lambda: not (self.api.get(objects.HERE) or {}).get("metadata", {}).get("deletionTimestamp"))
        if self.api.get(objects.HERE) is not None:
            raise SystemExit(f"namespace {objects.NAMESPACE} exists already, perhaps of a run that was broken off; delete it first")
        self.begin_namespace()

    def _audit_log(self):
        if self.given.audit_log:
            return Log(self.given.audit_log)
        words = self.server.arguments() if self.server else []
        found = [word.split("=", 1)[1] for word in words if word.startswith("--audit-log-path=")]
        return Log(found[0]) if found and os.access(found[0], os.R_OK) else None

    def begin_namespace(self):
        self.api.post("/api/v1/namespaces", objects.namespace())
        until("the namespace's ServiceAccount", 60, lambda: self.api.get(f"{objects.HERE}/serviceaccounts/default"))
        self.api.post(objects.SECRETS, objects.keys(self.cloud.key))

    def measure(self, operator):
        """All wanted cases with one operator."""
        self.operator, found = operator, {}
        try:
            operator.start(self, {**self.cloud.environment(), "AWS_ENDPOINT_URL_STS": self.slow.endpoint})
            for make, members in cases.FLEETS:
                wanted = [case for case in members if case.__name__ in self.given.case]
                if not wanted:
                    continue
                fleet = make(self)
                # The others use the objects that this one creates.
                if members[0] is cases.ready and wanted[0] is not cases.ready:
                    wanted.insert(0, cases.ready)
                for case in wanted:
                    note(f"{operator.name}: {case.__name__}, {self.count} objects")
                    found[case.__name__] = case(self, fleet)
                    # What fails later takes nothing of it away.
                    note(f"{operator.name}: {case.__name__}: " + ", ".join(f"{name} {value} {unit}".strip() for name, (value, unit) in found[case.__name__].items()))
                found[wanted[-1].__name__]["all deleted"] = round(fleet.remove(), 1), "s"
        finally:
            operator.stop(self)
        return found

    def end(self):
        if hasattr(self, "api") and self.given.kubeconfig:
            self.api.delete(objects.HERE)
        if hasattr(self, "slow"):
            self.slow.close()
        self.cloud.stop()


def note(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def conditions(bench, begun):
    model = next((line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), platform.machine())
    version = bench.api.get("/version") or {}
    program = Path(bench.given.sluice)
    return {
        "command": " ".join(["bench.py", *sys.argv[1:]]), "objects": bench.count, "polling_seconds": bench.polling,
        "cluster": "local target" if bench.given.kubeconfig is None else f"Kubernetes {version.get('gitVersion', '')}",
        "program": str(program), "profile": program.resolve().parent.name, "cpus": os.cpu_count(), "cpu": model,
        "load_before": round(begun[0], 2), "load_after": round(machine.load()[0], 2),
    }


def main():
    given = arguments()
    # Ends as Ctrl-C does, so that what was begun is ended too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    scratch, begun, began = Path(tempfile.mkdtemp(prefix="sluice-bench-")), machine.load(), time.monotonic()
    bench, good = Bench(given, scratch), False
    try:
        bench.begin()
        chosen = {"sluice": [Sluice(Path(given.sluice).resolve())], "there": [There()], "none": []}[given.operator]
        chosen += [Keda(given.keda)] if given.keda else []
        found = {operator.name: bench.measure(operator) for operator in chosen}
        said = {"version": 1, "conditions": {**conditions(bench, begun), "seconds": round(time.monotonic() - began)}, "operators": table.plain(found)}
        print(json.dumps(said, indent=1) if given.json else table.text(said["conditions"], found))
        good = True
    except KeyboardInterrupt:
        sys.exit("bench: interrupted")
    except (Late, Refused, OSError, botocore.exceptions.ClientError) as error:
        sys.exit(f"bench: {error}\nThe logs are in {scratch}.")
    finally:
        try:
            bench.end()
        finally:
            if good:
                shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
