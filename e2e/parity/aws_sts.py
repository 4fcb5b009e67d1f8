"""Parity cases of STS: each takes a side and a maker of names, and calls; what comes back is compared by aws.py."""

import json


def trust(side, **more):
    """A policy that lets the side's own account in."""
    statement = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{side.account}:root"}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [{**statement, **more}]})


def role(side, name, label="CreateRole", **more):
    return side("CreateRole", label, RoleName=name, AssumeRolePolicyDocument=trust(side), **more)["Role"]["Arn"]


def session(side, answer, service):
    credentials = answer["Credentials"]
    keys = {
        "aws_access_key_id": credentials["AccessKeyId"],
        "aws_secret_access_key": credentials["SecretAccessKey"],
        "aws_session_token": credentials["SessionToken"],
    }
    return side.client(service, keys)


def sts_shows_who_calls(side, name):
    side("GetCallerIdentity")


def sts_assumes_roles(side, name):
    arn = role(side, name("assumed"))
    answer = side("AssumeRole", RoleArn=arn, RoleSessionName="parity")
    side("GetCallerIdentity", "as the role", by=session(side, answer, "sts"))
    policy = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}]})
    side("AssumeRole", "with a session policy", RoleArn=arn, RoleSessionName="parity.a@b=c,d-_", DurationSeconds=900, Policy=policy)
    side("GetRole", "afterwards", RoleName=name("assumed"))


def sts_refuses_bad_sessions(side, name):
    arn = role(side, name("strict"))

    def assume(label, **more):
        side("AssumeRole", label, **{"RoleArn": arn, "RoleSessionName": "parity", **more})

    assume("session name too short", RoleSessionName="x")
    assume("session name too long", RoleSessionName="x" * 65)
    assume("session name with a space", RoleSessionName="a b")
    assume("session name empty", RoleSessionName="")
    assume("duration too short", DurationSeconds=899)
    assume("duration longer than the role's", DurationSeconds=3601)
    assume("duration longer than any", DurationSeconds=43201)
    assume("role that is none", RoleArn=arn.replace("strict", "none"))
    assume("no ARN", RoleArn="strict")
    assume("no ARN, but long enough for one", RoleArn="a-role-that-is-no-arn-at-all")
    assume("malformed session policy", Policy="{")
    side("AssumeRole", "without a role", RoleSessionName="parity")
    side("AssumeRole", "without a session name", RoleArn=arn)


def sts_refuses_bad_web_identities(side, name):
    arn = role(side, name("web"))

    def assume(label, **more):
        given = {"RoleArn": arn, "RoleSessionName": "parity", "WebIdentityToken": "no-token", **more}
        side("AssumeRoleWithWebIdentity", label, **{key: value for key, value in given.items() if value is not None})

    assume("token that is none")
    assume("token too short", WebIdentityToken="x")
    assume("without a token", WebIdentityToken=None)
    assume("without a role", RoleArn=None)
    assume("without a session name", RoleSessionName=None)
    assume("session name with a space", RoleSessionName="a b")
    assume("duration too short", DurationSeconds=899)


def sts_refuses_unknown_actions(side, name):
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    side.raw("unknown", headers=kind, body=b"Action=PaintRole&Version=2011-06-15", service="sts")
    side.raw("another version", headers=kind, body=b"Action=GetCallerIdentity&Version=2001-01-01", service="sts")


CASES = [value for key, value in list(globals().items()) if key.startswith("sts_")]
