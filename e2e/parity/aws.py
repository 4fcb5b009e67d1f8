#!/usr/bin/env python3
"""The same requests to the local AWS endpoint and to a foreign one: one line a case, and an exit code other than 0 if any
differs in a way that aws-differences.toml does not list, or lists a difference that does not occur.

Needs boto3, and reads from the environment whom to ask:

    SLUICE_PARITY_OURS        the endpoint of a local cloud that runs in real time, with credentials as `sluice env` exports
                            them: sluice local start --time-scale 1 && eval "$(sluice env)"; SLUICE_PARITY_OURS=$AWS_ENDPOINT_URL
    SLUICE_PARITY_LOCALSTACK  the endpoint of LocalStack 4.13 (SQS, STS, IAM)
    SLUICE_PARITY_MOTO        the endpoint of moto_server 5 (STS, IAM); what it holds is forgotten first

With words as arguments only the cases whose names contain one of them run, and the list is not checked for leftovers.
"""

import fnmatch
import os
import pathlib
import sys
import tomllib
import traceback
import urllib.request
import uuid
from concurrent.futures import ThreadPoolExecutor

import aws_iam
import aws_sqs
import aws_sts
from aws_wire import Side

LIST = pathlib.Path(__file__).with_name("aws-differences.toml")
REAL = {"localstack": "SLUICE_PARITY_LOCALSTACK", "moto": "SLUICE_PARITY_MOTO"}
CASES = [
    *((case, ("localstack",)) for case in aws_sqs.CASES),
    *((case, ("localstack", "moto")) for case in (*aws_sts.CASES, *aws_iam.CASES)),
]
ABSENT = "(absent)"


class Listed:
    """The differences that are known, and which of their places have been seen."""

    def __init__(self):
        with open(LIST, "rb") as file:
            self.entries = tomllib.load(file)["difference"]
        for entry in self.entries:
            missing = {"id", "from", "at", "ours", "theirs", "reason"} - set(entry)
            assert not missing, f"{entry.get('id')} in {LIST.name} lacks {missing}"
        ids = [entry["id"] for entry in self.entries]
        assert len(set(ids)) == len(ids), f"an id of {LIST.name} is there twice"
        self.seen = set()

    def knows(self, real, place, ours, theirs):
        found = None
        for entry in self.entries:
            if real not in entry["from"] or not (matches(entry["ours"], ours) and matches(entry["theirs"], theirs)):
                continue
            for pattern in entry["at"]:
                if matches(pattern, place):
                    self.seen.add((entry["id"], real, pattern))
                    found = found or entry["id"]
        return found

    def leftovers(self, asked):
        """Places of the list where nothing differs any more."""
        for entry in self.entries:
            for real in set(entry["from"]) & set(asked):
                for pattern in entry["at"]:
                    if (entry["id"], real, pattern) not in self.seen:
                        yield f"{entry['id']}: no such difference from {real} at {pattern}"


def matches(pattern, value):
    # Only `*` is special: addresses and messages are full of brackets and question marks.
    return fnmatch.fnmatchcase(str(value), pattern.replace("[", "[[]").replace("?", "[?]"))


def run(case, side, run_id):
    """What the case saw on this side, or why it broke off."""
    side.begin()
    try:
        case(side, lambda text: f"parity-{run_id}-{text}")
    except Exception:
        return side.steps, traceback.format_exc()
    return side.steps, None


def differences(case, ours, theirs):
    """Place, ours and theirs; an answer that ends otherwise is one difference, whatever else is in it."""
    for step in [*ours, *(step for step in theirs if step not in ours)]:
        left, right = ours.get(step, {"outcome": ABSENT}), theirs.get(step, {"outcome": ABSENT})
        if left["outcome"].split(":")[0] != right["outcome"].split(":")[0]:
            yield f"{case}/{step}", left["outcome"], right["outcome"]
            continue
        for path in [*left, *(path for path in right if path not in left)]:
            if path != "outcome" and left.get(path, ABSENT) != right.get(path, ABSENT):
                yield f"{case}/{step}/{path}", left.get(path, ABSENT), right.get(path, ABSENT)


def compare(case, real, ours, theirs, listed, recorder):
    """Runs the case on both sides at once; the lines that say what is wrong."""
    name = case.__name__
    # Names of this run only, so that it can be repeated on the same cloud.
    run_id = uuid.uuid4().hex[:8]
    with ThreadPoolExecutor(2) as pool:
        (left, left_broke), (right, right_broke) = pool.map(lambda side: run(case, side, run_id), (ours, theirs))
    wrong = [f"it broke off on {side}:\n{why}" for side, why in (("ours", left_broke), (real, right_broke)) if why]
    for place, our_value, their_value in differences(name, left, right):
        if not listed.knows(real, place, our_value, their_value):
            wrong.append(f"{place}\n      ours   {our_value!r}\n      theirs {their_value!r}")
    if recorder and not wrong:
        wrong += recorder.take(name, real, run_id, ours, theirs, listed, differences)
    return len(left), wrong


def sides():
    """Ours and those of theirs that are there."""
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    keys = {
        "aws_access_key_id": os.environ.get("AWS_ACCESS_KEY_ID"),
        "aws_secret_access_key": os.environ.get("AWS_SECRET_ACCESS_KEY"),
        "aws_session_token": os.environ.get("AWS_SESSION_TOKEN"),
    }
    ours = Side("ours", os.environ["SLUICE_PARITY_OURS"], region, keys)
    # Neither checks a signature. LocalStack takes twelve digits for the account, so this run has one that is empty.
    account = str(100_000_000_000 + uuid.uuid4().int % 800_000_000_000)
    their_keys = {"aws_access_key_id": account, "aws_secret_access_key": "test"}
    found = {}
    for real, variable in REAL.items():
        if os.environ.get(variable):
            if real == "moto":
                # It has one account for every key, and with a hundred roles in that it no longer finds all of them.
                urllib.request.urlopen(f"{os.environ[variable].rstrip('/')}/moto-api/reset", data=b"").close()
            found[real] = Side(real, os.environ[variable], region, their_keys)
        else:
            print(f"skipped the cases with {real}: set {variable} to its endpoint")
    return ours, found


def main(recorder=None):
    if not os.environ.get("SLUICE_PARITY_OURS"):
        print("skipped: set SLUICE_PARITY_OURS to the endpoint of a local cloud (and the variables of `sluice env`)")
        return 0
    wanted = sys.argv[1:]
    ours, found = sides()
    listed = Listed()
    passed = failed = 0

    def report(title, wrong):
        nonlocal passed, failed
        passed, failed = passed + (not wrong), failed + bool(wrong)
        print(f"{'FAILED ' if wrong else 'ok     '} {title}", *(f"\n    {line}" for line in wrong), sep="", flush=True)

    for case, reals in CASES:
        for real in reals:
            if real in found and (not wanted or any(word in case.__name__ for word in wanted)):
                answers, wrong = compare(case, real, ours, found[real], listed, recorder)
                report(f"{real}: {case.__name__.replace('_', ' ')} ({answers} answers)", wrong)
    if found and not wanted:
        if recorder:
            report("every recording belongs to a test", recorder.close(found))
        report(f"each of the {len(listed.entries)} listed differences still occurs", list(listed.leftovers(found)))
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
