#!/usr/bin/env python3
"""An HPA that the real KEDA made is taken over: the same object, and no replica more or less.

    python3 e2e/bench/takeover.py --kubeconfig FILE --address ADDRESS --keda FOLDER [--sluice PROGRAM]

KEDA scales a workload to 3 and is ended; then this project's operator comes to the same objects. The options are those of
`bench.py`.
"""

import os
import shutil
import signal
import sys
import tempfile
import threading
from pathlib import Path

import botocore.exceptions

import machine
import objects as of
from api import Late, Refused, until
from bench import Bench, arguments, note
from objects import AUTHENTICATIONS, AUTOSCALERS, DEPLOYMENTS, SCALED
from operators import API_SERVICE, Keda, Sluice

NAME = "moved"
SCALER = f"{AUTOSCALERS}/keda-hpa-{NAME}"
WEBHOOK = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/keda-admission"
BEHAVIOR = {"scaleDown": {"stabilizationWindowSeconds": 599}}


class Replicas:
    """Every replica count that a Deployment had, by a watch."""

    def __init__(self, api):
        self.seen, self.watch = [], api.watch(DEPLOYMENTS)
        self.stop = threading.Event()
        threading.Thread(target=self._follow, daemon=True).start()

    def _follow(self):
        while not self.stop.wait(0.02):
            item = self.watch.objects.get(NAME)
            if item and (item["metadata"]["generation"], item["spec"]["replicas"]) not in self.seen:
                self.seen.append((item["metadata"]["generation"], item["spec"]["replicas"]))

    def close(self):
        self.stop.set()
        self.watch.close()


def scaled_by_keda(bench):
    """KEDA makes the HPA and the workload has 3 replicas; then KEDA's processes end. Returns the HPA."""
    api, keda = bench.api, Keda(bench.given.keda)
    keda.start(bench, bench.cloud.environment())
    api.post(DEPLOYMENTS, of.deployment(NAME))
    api.post(AUTHENTICATIONS, of.by_keys(NAME))
    queue = bench.cloud.queue(NAME)
    bench.cloud.send(queue, 9)
    item = of.scaled(NAME, NAME, NAME, queue, polling=2, endpoint=bench.cloud.endpoint, length=1)
    item["spec"]["advanced"] = {"horizontalPodAutoscalerConfig": {"behavior": BEHAVIOR}}
    api.post(SCALED, item)
    until("workload at 3 replicas by KEDA", 120, lambda: api.get(f"{DEPLOYMENTS}/{NAME}")["spec"]["replicas"] == 3)
    found = api.get(SCALER)
    for process in keda.group.processes + machine.of_program("keda-webhooks"):
        os.kill(process.pid, signal.SIGTERM)
    until("end of KEDA's processes", 60, lambda: not any(process.is_alive() for process in keda.group.processes))
    api.delete(WEBHOOK)
    api.delete(API_SERVICE)
    return found


def check(what, good, seen):
    print(f"{'pass' if good else 'FAIL'}  {what}: {seen}", flush=True)
    return good


def taken_over(bench, before):
    """Our operator comes; returns whether all is as it should be."""
    api, replicas, operator = bench.api, Replicas(bench.api), Sluice(Path(bench.given.sluice).resolve())
    bench.operator = operator
    try:
        operator.start(bench, bench.cloud.environment())

        def managed():
            managers = {(one["manager"], one["operation"]) for one in api.get(SCALER)["metadata"]["managedFields"]}
            new = managers - {(one["manager"], one["operation"]) for one in before["metadata"]["managedFields"]}
            return (new or None), f"managers {sorted(managers)}"

        until("HPA that the new operator has applied", 120, managed)

        def asks():
            conditions = {one["type"]: one for one in api.get(SCALER)["status"].get("conditions", [])}
            active = conditions.get("ScalingActive", {})
            return (active.get("status") == "True" or None), f"ScalingActive {active.get('status')}: {active.get('message')}"

        until("HPA that gets its metric from the new operator", 120, asks)
        machine.wait(10, operator.group)
        after = api.get(SCALER)
        good = [
            check("the HPA is the same object", after["metadata"]["uid"] == before["metadata"]["uid"], after["metadata"]["uid"]),
            check("no replica more or less", {count for _, count in replicas.seen} == {3}, replicas.seen),
            check("the object is ready", of.is_ready(api.get(f"{SCALED}/{NAME}")), api.get(f"{SCALED}/{NAME}")["status"]["conditions"][0]),
            check("bounds and metric are the same", all(after["spec"][part] == before["spec"][part] for part in ("minReplicas", "maxReplicas", "metrics", "scaleTargetRef")), after["spec"]["metrics"]),
        ]
        api.patch(f"{SCALED}/{NAME}", {"spec": {"advanced": None}})
        held = lambda: api.get(SCALER)["spec"].get("behavior", {}).get("scaleDown", {}).get("stabilizationWindowSeconds")
        gone = lambda: ((held() != 599 or None), f"stabilizationWindowSeconds {held()}")
        try:
            until("behavior that KEDA wrote to be gone", 30, gone)
        except Late as late:
            good.append(check("what is removed from the object goes from the HPA", False, late))
        else:
            good.append(check("what is removed from the object goes from the HPA", True, held()))
        return all(good)
    finally:
        replicas.close()
        try:
            delete_objects(api)
        finally:
            operator.stop(bench)


def delete_objects(api):
    """Deletes the KEDA objects while there is an operator that takes its finalizers off."""
    paths = [f"{collection}/{NAME}" for collection in (SCALED, AUTHENTICATIONS)]
    for path in paths:
        api.delete(path)
    try:
        until("end of the KEDA objects", 60, lambda: all(api.get(path) is None for path in paths))
    except Late:
        # The cluster is to be as it was for whoever comes next.
        for path in paths:
            if api.get(path):
                api.patch(path, {"metadata": {"finalizers": None}})
        raise


def main():
    given = arguments()
    if not given.keda:
        sys.exit("takeover: --keda and --kubeconfig are needed")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    scratch, good = Path(tempfile.mkdtemp(prefix="sluice-takeover-")), False
    bench = Bench(given, scratch)
    try:
        bench.begin()
        good = taken_over(bench, scaled_by_keda(bench))
    except (Late, Refused, OSError, botocore.exceptions.ClientError) as error:
        # What failed while the cluster was tidied up may follow from what failed before, an interruption for one.
        before = f" (after {error.__context__!r})" if error.__context__ else ""
        print(f"FAIL  {error}{before}; the logs are in {scratch}")
    finally:
        bench.end()
        Keda(given.keda).stop(bench)
    if good:
        shutil.rmtree(scratch, ignore_errors=True)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
