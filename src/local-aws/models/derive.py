#!/usr/bin/env python3
"""Derives this folder's tables of inputs from the service models that botocore carries (Apache-2.0); only facts are kept: the
operations' names, their members, types, bounds and enumerations.

    python3 derive.py [folder of botocore's data]        writes a file a service here

An operation that `coverage` does not serve is listed by its name (and, for EKS, its address) without an input, so that it can be
refused by name. What is served is read from the tables in ../coverage/*.rs.
"""

import gzip
import json
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).parent
SERVICES = {"sqs": "sqs", "iam": "iam", "sts": "sts", "eks": "eks", "ecr": "ecr", "tagging": "resourcegroupstaggingapi", "cloudwatch_logs": "logs", "ec2": "ec2", "quotas": "service-quotas"}
KEPT = ("min", "max", "enum", "sensitive")
# Patterns of word characters and a few others are kept; richer ones are left to the handlers.
WORD = re.compile(r"\[\\w((?:[^\]\\]|\\.)*)\][*+]")


def data():
    if len(sys.argv) > 1:
        return pathlib.Path(sys.argv[1])
    import botocore

    return pathlib.Path(botocore.__file__).parent / "data"


def served(name):
    text = (HERE.parent / "coverage" / f"{name}.rs").read_text()
    return set(re.findall(r"served\(\s*\"(\w+)\"", text))


def shape(given, name):
    kept = {"type": given["type"], **{key: given[key] for key in KEPT if key in given}}
    word = WORD.fullmatch(given.get("pattern", ""))
    if word:
        kept["pattern"], kept["beside"] = given["pattern"], word[1].replace("\\", "")
    if given["type"] == "structure":
        kept["required"] = given.get("required", [])
        kept["members"] = {key: member(one, name) for key, one in given["members"].items()}
    if given["type"] == "list":
        kept["member"] = given["member"]["shape"]
    if given["type"] == "map":
        kept["key"], kept["value"] = given["key"]["shape"], given["value"]["shape"]
    return kept


def member(given, service):
    place = given.get("location")
    if place in ("uri", "querystring"):
        return {"shape": given["shape"], "in": place, "name": given["locationName"]}
    if service == "ec2" and "locationName" in given:
        # Smithy, "AWS EC2 query protocol": the name of its own, else the XML name with a capital.
        wire = given.get("queryName") or given["locationName"][0].upper() + given["locationName"][1:]
        return {"shape": given["shape"], "name": wire}
    return {"shape": given["shape"]}


def children(kept):
    yield from (one["shape"] for one in kept.get("members", {}).values())
    yield from (kept[key] for key in ("member", "key", "value") if key in kept)


def reach(model, names, service):
    shapes, waiting = {}, list(names)
    while waiting:
        name = waiting.pop()
        if name not in shapes:
            shapes[name] = shape(model["shapes"][name], service)
            waiting.extend(children(shapes[name]))
    return dict(sorted(shapes.items()))


def lines(table):
    return ",\n".join(f"    {json.dumps(name)}: {json.dumps(value)}" for name, value in table.items())


def derive(name, folder):
    file = sorted(folder.glob("*/service-2.json.gz"))[-1]
    model = json.loads(gzip.decompress(file.read_bytes()))
    mine, operations = served(name), {}
    for operation, given in sorted(model["operations"].items()):
        kept = {}
        if operation in mine:
            # What takes nothing has an empty input.
            kept["input"] = given.get("input", {"shape": "Nothing"})["shape"]
        if name == "eks":
            kept["http"] = [given["http"]["method"], given["http"]["requestUri"]]
        operations[operation] = kept
    absent = mine - set(operations)
    assert not absent, f"{name} has no such operations: {absent}"
    model["shapes"].setdefault("Nothing", {"type": "structure", "members": {}})
    shapes = reach(model, [one["input"] for one in operations.values() if one.get("input")], name)
    version = model["metadata"]["apiVersion"]
    text = f'{{\n  "version": "{version}",\n  "operations": {{\n{lines(operations)}\n  }},\n  "shapes": {{\n{lines(shapes)}\n  }}\n}}\n'
    (HERE / f"{name}.json").write_text(text)


if __name__ == "__main__":
    root = data()
    for name, folder in SERVICES.items():
        derive(name, root / folder)
