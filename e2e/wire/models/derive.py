#!/usr/bin/env python3
"""Derives this folder's extracts of the service models that botocore carries (Copyright Amazon.com, Inc. or its affiliates,
Apache-2.0). Only facts are kept: of each operation that the product can call its address, its input, its output and its errors;
of each shape its type, members, bounds, pattern and enumeration. Descriptions are left out.

    python3 derive.py            writes one file a service here
    python3 derive.py --check    says what has changed, and fails if anything has

Which operations: those that a source file of the product names as "service:Operation". The tables that the local AWS reads its
inputs by come from the same models (src/local-aws/models/derive.py); these are what both sides of the wire are judged by, and
the product does not contain them.
"""

import gzip
import json
import pathlib
import re
import sys

import botocore

HERE = pathlib.Path(__file__).resolve().parent
SOURCES = HERE.parents[2] / "src"
CALLERS = ("aws", "scalers", "worker")
SERVICES = {
    "ec2": "ec2",
    "ecr": "ecr",
    "eks": "eks",
    "iam": "iam",
    "logs": "logs",
    "servicequotas": "service-quotas",
    "sqs": "sqs",
    "sts": "sts",
}
NAMED = re.compile(r'"(\w+):([A-Z]\w+)"')
BOUNDS = ("min", "max", "enum", "pattern", "timestampFormat", "flattened", "error")
MEMBER = ("location", "locationName", "queryName", "flattened")
# Code points above the first plane, in the spelling of a model and in the one of most regular expressions.
PLANES = ("\\u10000-\\u10FFFF", "\\U00010000-\\U0010FFFF")


def called():
    """Operations by service."""
    files = (path for crate in CALLERS for path in (SOURCES / crate).rglob("*.rs"))
    return {pair for path in files for pair in NAMED.findall(path.read_text())}


def shape(given):
    kept = {"type": given["type"], **{key: given[key] for key in BOUNDS if key in given}}
    if "pattern" in kept:
        kept["pattern"] = kept["pattern"].replace(*PLANES)
    if given["type"] == "structure":
        members = given["members"].items()
        kept["required"] = given.get("required", [])
        kept["members"] = {name: {"shape": one["shape"], **{key: one[key] for key in MEMBER if key in one}} for name, one in members}
    if given["type"] == "list":
        kept["member"] = given["member"]["shape"]
        if "locationName" in given["member"]:
            kept["memberName"] = given["member"]["locationName"]
    if given["type"] == "map":
        kept["key"], kept["value"] = given["key"]["shape"], given["value"]["shape"]
    return kept


def children(kept):
    yield from (one["shape"] for one in kept.get("members", {}).values())
    yield from (kept[key] for key in ("member", "key", "value") if key in kept)


def lines(table):
    return ",\n".join(f"    {json.dumps(name)}: {json.dumps(value)}" for name, value in table.items())


def derive(name, folder):
    file = sorted((pathlib.Path(botocore.__file__).parent / "data" / folder).glob("*/service-2.json.gz"))[-1]
    model = json.loads(gzip.decompress(file.read_bytes()))
    operations, waiting = {}, []
    for operation, given in sorted(model["operations"].items()):
        if (name, operation) not in called():
            continue
        kept = {side: given[side]["shape"] for side in ("input", "output") if side in given}
        if "resultWrapper" in given.get("output", {}):
            kept["wrapper"] = given["output"]["resultWrapper"]
        kept["errors"] = [error["shape"] for error in given.get("errors", [])]
        kept["http"] = [given["http"]["method"], given["http"]["requestUri"]]
        operations[operation] = kept
        waiting += [kept[side] for side in ("input", "output") if side in kept] + kept["errors"]
    shapes = {}
    while waiting:
        one = waiting.pop()
        if one not in shapes:
            shapes[one] = shape(model["shapes"][one])
            waiting += children(shapes[one])
    metadata = model["metadata"]
    head = {
        "botocore": botocore.__version__,
        "licence": "Apache-2.0, Copyright Amazon.com, Inc. or its affiliates",
        "apiVersion": metadata["apiVersion"],
        "protocol": metadata["protocol"],
    }
    head = "".join(f"  {json.dumps(key)}: {json.dumps(value)},\n" for key, value in head.items())
    shapes = dict(sorted(shapes.items()))
    return f'{{\n{head}  "operations": {{\n{lines(operations)}\n  }},\n  "shapes": {{\n{lines(shapes)}\n  }}\n}}\n'


def facts(text):
    """All but the version that it comes from."""
    return {key: value for key, value in json.loads(text).items() if key != "botocore"}


def differs(before, after):
    for part in ("operations", "shapes"):
        for name in sorted({*before[part], *after[part]}):
            if before[part].get(name) != after[part].get(name):
                yield f"{part[:-1]} {name}"


if __name__ == "__main__":
    changed = []
    for name, folder in SERVICES.items():
        file, text = HERE / f"{name}.json", derive(name, folder)
        if "--check" not in sys.argv[1:]:
            file.write_text(text)
            continue
        changed += [f"{name}: {one}" for one in differs(facts(file.read_text()), facts(text))]
    for one in changed:
        print(one)
    if changed:
        sys.exit(f"the extracts differ from botocore {botocore.__version__}: run {pathlib.Path(__file__).name} and look at what changes")
    if "--check" in sys.argv[1:]:
        print(f"the extracts are as botocore {botocore.__version__} has it")
