#!/usr/bin/env python3
"""Runs the live parity tests and keeps the answers of the real parts in `recorded/`, from where `cargo test` replays them.

    python3 e2e/parity/record.py kubernetes|aws [--check] [WORD…]

The environment names both sides, as it does for `e2e/parity/kubernetes.py` and `e2e/parity/aws.py`, which this runs. Without
`--check` the recordings are written anew; with it, one that the real parts no longer give is a failure. A leaf in which the
local cloud differs must stand in the list of differences of its suite; the recording keeps both values.
"""

import json
import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from tape import MISSING, WHOLE, Recording, adapt, leaves_apart, pointer_of  # noqa: E402

# Tests whose exchanges no recording can hold, and why. The live suite has them all the same.
LIVE_ONLY = {
    "api resources of kubectl": "kubectl asks",
    "names and paths of get": "kubectl asks",
    "tables of get": "kubectl asks; the tables over HTTP are recorded",
    "plain discovery": "a real cluster serves more groups",
    "order of groups": "a real cluster serves more groups",
    "resource lists": "a real cluster serves more kinds",
    "aggregated discovery": "a real cluster serves more kinds",
    "descriptions": "kubectl asks",
    "rollouts": "kubectl changes the Deployment",
    "the definitions of the product": "kubectl applies the definitions",
    "logs": "containers run",
    "ends of containers": "containers run",
    "budgets of a pod that nobody controls": "containers run",
    "sqs_hides_messages": "seconds pass between the calls",
    "sqs_waits": "seconds pass between the calls",
}


class Kubernetes:
    """Takes both sides' exchanges of each test of the Kubernetes suite."""

    def __init__(self, checks):
        self.recording = Recording("kubernetes", checks)

    def take(self, name, ours, real, listed):
        if name in LIVE_ONLY:
            return []
        if len(ours.exchanges) != len(real.exchanges):
            return [f"{len(ours.exchanges)} exchanges here, {len(real.exchanges)} on the real side"]
        kept, wrong = [], []
        # The replay asks the local cloud, so the requests are those that it got: a reference may lead where both differ.
        for request, mine, other in zip(ours.requests(), ours.exchanges, real.exchanges):
            label = other.get("label")
            answers = [comparable(side["answer"], name, label, request) for side in (mine, other)]
            exchange = {"request": request, "answer": answers[1], **({"label": label} if label else {})}
            found, lines = differences(f"{name}: {label}", *answers, listed)
            kept.append({**exchange, **({"ours": found} if found else {})})
            wrong += [f"{request['method']} {request['path']}: {line}" for line in lines]
        return wrong or self.recording.keep(name, {"test": name, "exchanges": kept})

    def close(self):
        return self.recording.close()


class Aws:
    """Takes both sides' exchanges of each test of the AWS suite, with each of the emulators."""

    def __init__(self, checks):
        self.recordings = {real: Recording(real, checks) for real in ("localstack", "moto")}

    def take(self, name, real, run, ours, theirs, listed, differences):
        if name in LIVE_ONLY:
            return []
        if len(ours.tape.exchanges) != len(theirs.tape.exchanges):
            return [f"{len(ours.tape.exchanges)} exchanges here, {len(theirs.tape.exchanges)} with {real}"]
        kept = []
        for request, mine, other in zip(ours.tape.requests(run, ours.account), ours.tape.exchanges, theirs.tape.exchanges):
            exchange = {"label": other["label"], "request": request, "answer": without_run(other["answer"], run)}
            found = []
            for place, value, their_value in differences(name, {mine["label"]: mine["leaves"]}, {other["label"]: other["leaves"]}):
                entry = listed.knows(real, place, value, their_value)
                leaf = place.removeprefix(f"{name}/{other['label']}").removeprefix("/")
                at = pointer_of(["leaves", leaf]) if leaf else ""
                value = (MISSING if value == "(absent)" else value) if leaf else mine["answer"]
                found.append({"at": at, "value": without_run(value, run), "listed": entry})
            kept.append({**exchange, **({"ours": found} if found else {})})
        return self.recordings[real].keep(name, {"test": name, "exchanges": kept})

    def close(self, found):
        return [line for real in found for line in self.recordings[real].close()]


# moto's ids of policies, which begin with any letter after the first.
RANDOM = re.compile(r"\bA(?!NPA|ROA|IDA|SIA|KIA)[A-Z0-9]{20}\b")


def without_run(value, run):
    return json.loads(RANDOM.sub("A*", json.dumps(value).replace(run, "RUN")))


def comparable(answer, name, label, request):
    from parity import normal

    if not label and not request.get("until"):
        # A step on the way: what the test does not return, it does not compare; and others may have made the object.
        return {"status": "done" if answer["status"] in (200, 201) else answer["status"]}
    return normal(adapt(answer, name, label))


def differences(identity, ours, real, listed):
    """The leaves in which ours is another, each with its entry in the list; and lines for those that have none."""
    from parity import shown, summary

    identity = identity.removesuffix(WHOLE)
    if ours["status"] != real["status"]:
        entry = listed.has(identity, summary(ours), summary(real))
        found = [{"at": "", "value": ours, "listed": entry}]
        return (found, []) if entry else ([], [f"unlisted: ours {summary(ours)!r}, theirs {summary(real)!r}"])
    found, wrong = [], []
    for keys, mine, other in leaves_apart(ours, real):
        path = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys)
        path = path.removeprefix(".") if identity.endswith(" ") else path
        entry = listed.has(f"{identity}{path}", shown(mine), shown(other))
        if not entry:
            wrong.append(f"unlisted at {pointer_of(keys)}: ours {shown(mine)[:300]!r}, theirs {shown(other)[:300]!r}")
        found.append({"at": pointer_of(keys), "value": mine, "listed": entry})
    return found, wrong


def main():
    suite, *words = sys.argv[1:] or [""]
    checks = "--check" in words
    sys.argv[1:] = [word for word in words if word != "--check"]
    if suite == "kubernetes":
        import kubernetes

        kubernetes.main(Kubernetes(checks))
    elif suite == "aws":
        import aws

        sys.exit(aws.main(Aws(checks)))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
