"""What is measured. Each case gives its measures by name."""

import random
import statistics
import threading
import time

import logs
import machine
import objects as of
from api import Refused, until
from operators import NAMESPACE as OPERATOR_NAMESPACE, USER
from objects import AUTHENTICATIONS, AUTOSCALERS, DEPLOYMENTS, HERE, SCALED, SECRETS

AGENT = "sluice-bench"
MEBIBYTE = 1 << 20
LEASE = f"/apis/coordination.k8s.io/v1/namespaces/{OPERATOR_NAMESPACE}/leases/operator.keda.sh"


def number(index):
    return f"o-{index:05}"


class Fleet:
    """N ScaledObjects, each with a Deployment and a queue of its own."""

    def __init__(self, bench, authentication):
        """`authentication` gives the name of an object's authentication and its manifest, or None for one that is there."""
        self.bench, self.authentication, self.queues = bench, authentication, {}
        # A queue of an earlier fleet may hold messages still.
        bench.fleets += 1
        self.prefix = f"bench-{bench.fleets}"

    def prepare(self, names):
        """All that a ScaledObject needs, so that its own creation is what is measured."""
        api, cloud = self.bench.api, self.bench.cloud

        def one(name):
            api.post(DEPLOYMENTS, of.deployment(name))
            self.queues[name] = cloud.queue(f"{self.prefix}-{name}")
            held, manifest = self.authentication(name)
            if manifest:
                api.post(AUTHENTICATIONS, manifest)
            return name, held

        self.held = dict(api.together(one, names))

    def create(self, names, **options):
        """Creates ScaledObjects; returns the seconds from the first request until all are ready and have an HPA."""
        api, bench = self.bench.api, self.bench
        options = {"polling": bench.polling, "endpoint": bench.cloud.endpoint, "annotations": bench.annotations, **options}
        manifests = [of.scaled(name, name, self.held[name], self.queues[name], **options) for name in names]
        scaled, scalers = api.watch(SCALED), api.watch(AUTOSCALERS)
        names, begun = set(names), time.monotonic()
        try:
            api.together(lambda manifest: api.post(SCALED, manifest), manifests)
            limit = 120 + len(names)

            def ready(items):
                machine.wait(0, bench.operator.group)
                count = sum(1 for item in items if item["metadata"]["name"] in names and of.is_ready(item))
                return (count == len(names) or None), f"{count} of {len(names)} ready"

            scaled.until("ScaledObjects that are ready", limit, ready)

            def made(items):
                count = sum(1 for item in items if item["spec"]["scaleTargetRef"]["name"] in names)
                return (count == len(names) or None), f"{count} of {len(names)} HPAs"

            scalers.until("an HPA for each", limit, made)
            return time.monotonic() - begun
        finally:
            scaled.close()
            scalers.close()

    def remove(self):
        """Deletes the namespace; the operator has to take its finalizers off."""
        api, begun = self.bench.api, time.monotonic()
        api.delete(SCALED)
        until("end of the ScaledObjects", 600, lambda: (not api.get(SCALED)["items"] or None), pause=1)
        seconds = time.monotonic() - begun
        api.delete(HERE)
        until(f"end of namespace {of.NAMESPACE}", 600, lambda: api.get(HERE) is None, pause=1)
        self.bench.begin_namespace()
        return seconds


def span(bench, seconds, prefix=""):
    """Lets time pass; returns CPU, memory, API requests and AWS calls of it."""
    group, server = bench.operator.group, bench.server
    marks = [log.mark() if log else None for log in (bench.audit, bench.cloud.trail)]
    before = group.cpu(), server.cpu() if server else None
    begun = time.monotonic()
    machine.wait(seconds, group)
    minutes = (time.monotonic() - begun) / 60
    after = group.cpu(), server.cpu() if server else None
    ends = [log.mark() if log else None for log in (bench.audit, bench.cloud.trail)]
    found = {}
    if group.processes:
        resident, anonymous = group.memory()
        found["operator CPU"] = round((after[0] - before[0]) / minutes, 2), "s/min"
        found["operator resident memory"] = round(resident / MEBIBYTE, 1), "MiB"
        found["operator anonymous memory"] = round(anonymous / MEBIBYTE, 1), "MiB"
    if server:
        found[f"{bench.server_name} CPU"] = round((after[1] - before[1]) / minutes, 2), "s/min"
    if bench.audit:
        events = list(bench.audit.since(marks[0], ends[0]))
        counts = logs.requests(events, USER)
        found["API writes"] = round(sum(count for name, count in counts.items() if logs.is_write(name)) / minutes, 1), "/min"
        found["reads of /scale"] = round(sum(count for name, count in counts.items() if name.startswith("get ") and name.endswith("/scale")) / minutes, 1), "/min"
        found["metric requests"] = round(logs.metric_requests(events) / minutes, 1), "/min"
        for name, count in sorted(counts.items()):
            found[f"API: {name}"] = round(count / minutes, 1), "/min"
    if bench.cloud.trail:
        for name, count in sorted(logs.calls(bench.cloud.trail.since(marks[1], ends[1]), AGENT).items()):
            found[f"AWS: {name}"] = round(count / minutes, 1), "/min"
    return {f"{prefix}{name}": value for name, value in found.items()}


def own(bench):
    return Fleet(bench, lambda name: (name, of.by_keys(name)))


def ready(bench, fleet):
    """N objects created at once until all are ready and have an HPA."""
    names = [number(index) for index in range(bench.count)]
    fleet.prepare(names)
    before = bench.operator.group.cpu()
    seconds = fleet.create(names)
    return {"first POST → all ready with HPA": (round(seconds, 1), "s"), "operator CPU for it": (round(bench.operator.group.cpu() - before, 2), "s")}


def idle(bench, fleet):
    """N objects whose queues are empty, at rest."""
    machine.wait(bench.settle, bench.operator.group)
    return span(bench, bench.seconds)


def active(bench, fleet):
    """The same with messages in all queues: three replicas each, and the HPA asks for metrics."""
    cloud, api = bench.cloud, bench.api
    api.together(lambda url: [cloud.send(url, 8), cloud.send(url, 7)], list(fleet.queues.values()))
    begun = time.monotonic()

    def scaled():
        sizes = [item["spec"].get("replicas") for item in api.get(DEPLOYMENTS)["items"]]
        return (all(size == 3 for size in sizes) or None), f"{sizes.count(3)} of {len(sizes)} at 3 replicas"

    until("workloads at 3 replicas", 300 + 2 * bench.count, scaled, pause=1)
    seconds = time.monotonic() - begun
    machine.wait(bench.settle, bench.operator.group)
    return {"messages → all at 3 replicas": (round(seconds, 1), "s"), **span(bench, bench.seconds)}


def latency(bench, fleet):
    """Messages to one more object that polls each second, until 1 and until 3 replicas, with N objects beside it."""
    api, firsts, thirds = bench.api, [], []
    for trial in range(bench.trials):
        name = f"latency-{trial}"
        fleet.prepare([name])
        fleet.create([name], polling=1, length=1)
        # Somewhere within the periods of poll and HPA, not always at the same point.
        machine.wait(random.uniform(1, 4), bench.operator.group)
        begun = time.monotonic()
        bench.cloud.send(fleet.queues[name], 3)
        size = lambda: api.get(f"{DEPLOYMENTS}/{name}")["spec"].get("replicas", 0)
        until(f"{name} with a replica", 180, lambda: size() >= 1, pause=0.05)
        firsts.append(time.monotonic() - begun)
        until(f"{name} with 3 replicas", 180, lambda: size() >= 3, pause=0.05)
        thirds.append(time.monotonic() - begun)
        api.delete(f"{SCALED}/{name}")
        until(f"end of {name}", 60, lambda: api.get(f"{SCALED}/{name}") is None)
        api.delete(f"{DEPLOYMENTS}/{name}")
        fleet.queues.pop(name)
    return {f"message → {size} replicas, {what}": (round(pick(values), 2), "s") for size, values in (("1", firsts), ("3", thirds)) for what, pick in (("median", statistics.median), ("most", max))}


def changes(bench, fleet):
    """Ten objects a second get another annotation; the lease is looked at meanwhile."""
    api, seen, stop = bench.api, [], threading.Event()

    def look():
        while not stop.wait(0.5):
            try:
                lease = api.get(LEASE) or {"spec": {}}
                seen.append((time.monotonic(), lease["spec"].get("holderIdentity"), lease["spec"].get("leaseTransitions", 0), lease["spec"].get("renewTime")))
            except (OSError, Refused) as error:
                seen.append((time.monotonic(), f"not read: {error}", None, None))

    late = 0

    def change():
        nonlocal late
        begun, sent = time.monotonic(), 0
        while not stop.is_set():
            due = begun + sent / bench.rate
            if (left := due - time.monotonic()) > 0:
                time.sleep(left)
            late = max(late, time.monotonic() - due)
            annotations = {"bench.sluice.dev/change": str(sent)}
            api.patch(f"{SCALED}/{number(random.randrange(bench.count))}", {"metadata": {"annotations": annotations}})
            sent += 1

    threads = [threading.Thread(target=work, daemon=True) for work in (look, change)]
    for thread in threads:
        thread.start()
    try:
        found = span(bench, bench.change_seconds)
    finally:
        stop.set()
        for thread in threads:
            thread.join(90)
    read = [one for one in seen if one[2] is not None]
    if not read:
        raise SystemExit(f"the lease could not be read: {seen[-1:] or 'no look at it'}")
    held = {(holder, transitions) for _, holder, transitions, _ in read}
    if held == {(None, 0)}:
        # An operator that elects no leader has none to lose.
        return {"lease kept": ("no lease", ""), "changes that came late by at most": (round(late, 1), "s"), **found}
    renewals = [first for first, again in zip(read[1:], read) if first[3] != again[3]]
    gaps = [later[0] - earlier[0] for earlier, later in zip(renewals, renewals[1:])]
    changed = {"lease kept": ("yes" if len(held) == 1 and bench.operator.group.is_alive() else "no", ""), "longest time without a renewal": (round(max(gaps, default=float("nan")), 1), "s")}
    return {**changed, "changes that came late by at most": (round(late, 1), "s"), **found}


def shared(bench, fleet):
    """One object more among N that share one authentication."""
    names = [number(index) for index in range(bench.count)]
    fleet.prepare(names)
    bench.api.post(AUTHENTICATIONS, of.by_keys("shared"))
    fleet.create(names)
    machine.wait(bench.settle, bench.operator.group)
    # Whole polling intervals, so that the polls of two spans are as many.
    seconds = bench.polling * max(1, 20 // bench.polling)
    rest = span(bench, seconds)
    fleet.prepare(["newcomer"])
    group, marks = bench.operator.group, [log.mark() if log else None for log in (bench.audit, bench.cloud.trail)]
    before = group.cpu()
    fleet.create(["newcomer"])
    machine.wait(seconds, group)
    spent = group.cpu() - before - rest.get("operator CPU", (0, ""))[0] * seconds / 60
    found = {"operator CPU beyond that at rest": (round(spent * 1000), "ms")}
    if bench.audit:
        counts = logs.requests(bench.audit.since(marks[0]), USER)
        at_rest = sum(value for name, (value, _) in rest.items() if name.startswith("API: ")) * seconds / 60
        found["API requests beyond those at rest"] = round(sum(counts.values()) - at_rest), ""
        for name in ("get secrets", "patch horizontalpodautoscalers"):
            found[f"API: {name}"] = counts.get(name, 0), ""
    if bench.cloud.trail:
        calls = logs.calls(bench.cloud.trail.since(marks[1]), AGENT)
        at_rest = rest.get("AWS: sqs GetQueueAttributes", (0, ""))[0] * seconds / 60
        found["SQS calls beyond those at rest"] = round(calls.get("sqs GetQueueAttributes", 0) - at_rest), ""
    return found


def refused(bench, fleet):
    """N objects with a role each, one of which may not be assumed, while STS answers late. How late are the others polled?"""
    names = [number(index) for index in range(bench.count)]
    fleet.prepare(names)
    fleet.create(names[1:], polling=bench.refused_polling)
    bench.slow.seconds = bench.sts_seconds
    try:
        # The one that is refused never gets ready.
        wrong = of.scaled(names[0], names[0], fleet.held[names[0]], fleet.queues[names[0]], polling=bench.refused_polling, endpoint=bench.cloud.endpoint)
        bench.api.post(SCALED, wrong)
        machine.wait(max(bench.settle, bench.refused_polling), bench.operator.group)
        mark, asked = bench.cloud.trail.mark(), bench.slow.count
        found = span(bench, max(bench.seconds, 4 * bench.refused_polling))
    finally:
        bench.slow.seconds = 0
    polls = logs.times(bench.cloud.trail.since(mark), AGENT)
    polls.pop(fleet.queues[names[0]], None)
    late = sorted(max(0, later - earlier - bench.refused_polling) for times in polls.values() for earlier, later in zip(times, times[1:]))
    if len(polls) < bench.count - 1 or not late:
        raise SystemExit(f"only {len(polls)} of {bench.count - 1} queues were polled while an identity was refused")
    at = lambda share: round(late[min(len(late) - 1, int(share * len(late)))], 2)
    return {"polls of the others, late by (median)": (at(0.5), "s"), "polls of the others, late by (p99)": (at(0.99), "s"), "STS requests meanwhile": (bench.slow.count - asked, ""), **found}


def roles(bench):
    """A fleet with a role each; the first one trusts somebody else."""
    cloud, me = bench.cloud, bench.cloud.caller()
    stranger = bench.stranger = bench.stranger or cloud.role("bench-stranger", me)

    def authentication(name):
        trusted = stranger if name == number(0) else me
        arn = bench.roles.get(name) or cloud.role(f"bench-{name}", trusted)
        bench.roles[name] = arn
        return name, of.by_role(name, arn)

    return Fleet(bench, authentication)


# The cases in their order; those of one fleet use the same objects.
FLEETS = [
    (own, [ready, idle, latency, changes, active]),
    (lambda bench: Fleet(bench, lambda name: ("shared", None)), [shared]),
    (roles, [refused]),
]
CASES = [case.__name__ for _, cases in FLEETS for case in cases]
__all__ = ["CASES", "FLEETS", "SECRETS"]
