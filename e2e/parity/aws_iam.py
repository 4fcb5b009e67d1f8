"""Parity cases of IAM: each takes a side and a maker of names, and calls; what comes back is compared by aws.py."""

import json

DOCUMENT = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}]}
POLICY = json.dumps(DOCUMENT)
OTHER = json.dumps({**DOCUMENT, "Statement": [{"Effect": "Deny", "Action": ["sqs:DeleteQueue"], "Resource": "*"}]})
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "eks.amazonaws.com"}, "Action": "sts:AssumeRole"}],
    }
)
THUMBPRINT = "9e99a48a9960b14926bb7f3b02e22da2b0ab7280"


def role(side, name, label="CreateRole", **more):
    return side("CreateRole", label, RoleName=name, AssumeRolePolicyDocument=TRUST, **more)


def managed(side, name, label="CreatePolicy", **more):
    return side("CreatePolicy", label, PolicyName=name, PolicyDocument=POLICY, **more)["Policy"]["Arn"]


def tags(**pairs):
    return [{"Key": key, "Value": value} for key, value in pairs.items()]


def iam_keeps_roles(side, name):
    at = f"/{name('path')}/"
    mine = {"RoleName": name("role")}
    role(side, name("role"), Path=at, Description="a role", MaxSessionDuration=7200, Tags=tags(team="a"))
    side("GetRole", **mine)
    side("UpdateRole", **mine, Description="another", MaxSessionDuration=3600)
    side("UpdateRoleDescription", **mine, Description="a third")
    side("UpdateAssumeRolePolicy", **mine, PolicyDocument=TRUST.replace("eks.", "ec2."))
    side("GetRole", "updated", **mine)
    side("ListRoles", PathPrefix=at)
    side("ListRoles", "of no such path", PathPrefix=f"/{name('none')}/")
    side("ListInstanceProfilesForRole", **mine)
    side("DeleteRole", **mine)
    side("GetRole", "deleted", **mine)
    role(side, name("plain"), "with the least said")
    side("GetRole", "with the least said, read", RoleName=name("plain"))
    side("DeleteRole", "plain", RoleName=name("plain"))


def iam_refuses_bad_roles(side, name):
    mine = {"RoleName": name("role")}
    role(side, name("role"))
    role(side, name("role"), "again")
    role(side, "a b", "name with a space")
    role(side, "x" * 65, "name too long")
    role(side, "", "empty name")
    # Names of their own, because what one side refuses the other may make.
    role(side, name("path"), "bad path", Path="none")
    role(side, name("short"), "session too short", MaxSessionDuration=3599)
    role(side, name("long"), "session too long", MaxSessionDuration=43201)
    role(side, name("twice"), "tag twice", Tags=[*tags(a="1"), *tags(a="2")])
    for number, (label, text) in enumerate((
        ("is no JSON", "{"),
        ("has no statement", '{"Version":"2012-10-17"}'),
        ("has no principal", POLICY),
        ("has a resource", TRUST.replace('"Action"', '"Resource": "*", "Action"')),
        ("has an unknown effect", TRUST.replace("Allow", "Perhaps")),
        ("has an unknown version", TRUST.replace("2012-10-17", "2020-01-01")),
        ("has an action of another service", TRUST.replace("sts:AssumeRole", "sqs:SendMessage")),
    )):
        side("CreateRole", f"trust that {label}", RoleName=name(f"trust-{number}"), AssumeRolePolicyDocument=text)
    side("UpdateAssumeRolePolicy", "trust that is no JSON, later", **mine, PolicyDocument="{")
    side("CreateRole", "without trust", RoleName=name("trustless"))
    side("CreateRole", "without a name", AssumeRolePolicyDocument=TRUST)
    none = {"RoleName": name("none")}
    for operation, more in (
        ("GetRole", {}),
        ("UpdateRole", {"Description": "x"}),
        ("UpdateAssumeRolePolicy", {"PolicyDocument": TRUST}),
        ("DeleteRole", {}),
        ("TagRole", {"Tags": tags(a="b")}),
        ("UntagRole", {"TagKeys": ["a"]}),
        ("ListRoleTags", {}),
        ("ListRolePolicies", {}),
        ("GetRolePolicy", {"PolicyName": "p"}),
        ("PutRolePolicy", {"PolicyName": "p", "PolicyDocument": POLICY}),
        ("DeleteRolePolicy", {"PolicyName": "p"}),
        ("ListAttachedRolePolicies", {}),
        ("ListInstanceProfilesForRole", {}),
    ):
        side(operation, f"{operation} of none", **none, **more)
    side("DeleteRole", **mine)


def iam_tags_roles(side, name):
    mine = {"RoleName": name("tags")}
    role(side, name("tags"))
    side("ListRoleTags", "of no tags", **mine)
    side("TagRole", **mine, Tags=tags(team="a", empty=""))
    side("TagRole", "again", **mine, Tags=tags(team="b", run="1"))
    side("ListRoleTags", **mine)
    side("UntagRole", **mine, TagKeys=["run", "none"])
    side("ListRoleTags", "after untagging", **mine)
    side("TagRole", "key too long", **mine, Tags=tags(**{"k" * 129: "v"}))
    side("TagRole", "reserved key", **mine, Tags=tags(**{"aws:x": "v"}))
    side("TagRole", "key with a star", **mine, Tags=tags(**{"a*": "v"}))
    side("TagRole", "value too long", **mine, Tags=tags(a="v" * 257))
    side("TagRole", "fifty-one tags", **mine, Tags=tags(**{f"k{number}": "v" for number in range(51)}))
    side("DeleteRole", **mine)


def iam_keeps_inline_policies(side, name):
    mine = {"RoleName": name("inline")}
    role(side, name("inline"))
    side("ListRolePolicies", "of no policies", **mine)
    side("PutRolePolicy", **mine, PolicyName="one", PolicyDocument=POLICY)
    side("PutRolePolicy", "another", **mine, PolicyName="two", PolicyDocument=OTHER)
    side("PutRolePolicy", "over the first", **mine, PolicyName="one", PolicyDocument=OTHER)
    side("ListRolePolicies", **mine)
    first = side("ListRolePolicies", "first page", **mine, MaxItems=1)
    side("ListRolePolicies", "second page", **mine, Marker=first.get("Marker", ""))
    side("GetRolePolicy", **mine, PolicyName="one")
    side("GetRolePolicy", "of none", **mine, PolicyName="none")
    side("DeleteRolePolicy", "of none", **mine, PolicyName="none")
    side("PutRolePolicy", "no JSON", **mine, PolicyName="bad", PolicyDocument="{")
    without = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sqs:*"}]})
    side("PutRolePolicy", "no resource", **mine, PolicyName="bad", PolicyDocument=without)
    side("PutRolePolicy", "action without a service", **mine, PolicyName="bad", PolicyDocument=POLICY.replace("sqs:*", "all"))
    side("DeleteRole", "that has policies", **mine)
    side("DeleteRolePolicy", **mine, PolicyName="one")
    side("DeleteRolePolicy", "two", **mine, PolicyName="two")
    side("DeleteRole", **mine)
    # On a role of its own, because what one side refuses the other may keep.
    role(side, name("other"), "another role")
    for_somebody = POLICY.replace('"Action"', '"Principal": "*", "Action"')
    side("PutRolePolicy", "with a principal", RoleName=name("other"), PolicyName="bad", PolicyDocument=for_somebody)
    side("PutRolePolicy", "name with a space", RoleName=name("other"), PolicyName="a b", PolicyDocument=POLICY)


def iam_keeps_managed_policies(side, name):
    at = f"/{name('path')}/"
    arn = managed(side, name("policy"), Path=at, Description="a policy", Tags=tags(team="a"))
    side("GetPolicy", PolicyArn=arn)
    side("GetPolicyVersion", PolicyArn=arn, VersionId="v1")
    side("CreatePolicyVersion", PolicyArn=arn, PolicyDocument=OTHER)
    side("CreatePolicyVersion", "as default", PolicyArn=arn, PolicyDocument=OTHER, SetAsDefault=True)
    side("ListPolicyVersions", PolicyArn=arn)
    side("SetDefaultPolicyVersion", PolicyArn=arn, VersionId="v1")
    side("GetPolicy", "with versions", PolicyArn=arn)
    side("CreatePolicyVersion", "the fourth", PolicyArn=arn, PolicyDocument=POLICY)
    side("CreatePolicyVersion", "the fifth", PolicyArn=arn, PolicyDocument=POLICY)
    side("CreatePolicyVersion", "the sixth", PolicyArn=arn, PolicyDocument=POLICY)
    side("DeletePolicyVersion", PolicyArn=arn, VersionId="v2")
    side("DeletePolicyVersion", "the default", PolicyArn=arn, VersionId="v1")
    side("CreatePolicyVersion", "after one is gone", PolicyArn=arn, PolicyDocument=POLICY)
    side("ListPolicies", Scope="Local", PathPrefix=at)
    side("TagPolicy", PolicyArn=arn, Tags=tags(run="1"))
    side("UntagPolicy", PolicyArn=arn, TagKeys=["team"])
    side("ListPolicyTags", PolicyArn=arn)
    for version in ("v3", "v4", "v5", "v6"):
        side("DeletePolicyVersion", version, PolicyArn=arn, VersionId=version)
    side("DeletePolicy", PolicyArn=arn)
    side("GetPolicy", "deleted", PolicyArn=arn)
    plain = managed(side, name("plain"), "with the least said")
    side("GetPolicy", "with the least said, read", PolicyArn=plain)
    side("DeletePolicy", "plain", PolicyArn=plain)


def iam_refuses_bad_policies(side, name):
    arn = managed(side, name("policy"))
    side("CreatePolicy", "again", PolicyName=name("policy"), PolicyDocument=POLICY)
    side("CreatePolicy", "no JSON", PolicyName=name("other"), PolicyDocument="{")
    side("CreatePolicy", "name with a space", PolicyName="a b", PolicyDocument=POLICY)
    side("CreatePolicy", "name too long", PolicyName="x" * 129, PolicyDocument=POLICY)
    side("CreatePolicy", "without a document", PolicyName=name("other"))
    side("CreatePolicyVersion", "version that is no JSON", PolicyArn=arn, PolicyDocument="{")
    side("GetPolicyVersion", "version that is none", PolicyArn=arn, VersionId="v9")
    side("DeletePolicyVersion", "delete a version that is none", PolicyArn=arn, VersionId="v9")
    side("SetDefaultPolicyVersion", "default that is none", PolicyArn=arn, VersionId="v9")
    none = {"PolicyArn": arn.replace("policy/parity", "policy/none")}
    for operation, more in (
        ("GetPolicy", {}),
        ("DeletePolicy", {}),
        ("CreatePolicyVersion", {"PolicyDocument": POLICY}),
        ("ListPolicyVersions", {}),
        ("GetPolicyVersion", {"VersionId": "v1"}),
        ("TagPolicy", {"Tags": tags(a="b")}),
        ("ListPolicyTags", {}),
        ("ListEntitiesForPolicy", {}),
    ):
        side(operation, f"{operation} of none", **none, **more)
    side("GetPolicy", "no ARN", PolicyArn="a-policy-that-is-no-arn")
    side("DeletePolicy", PolicyArn=arn)


def iam_attaches_policies(side, name):
    mine = {"RoleName": name("attach")}
    role(side, name("attach"))
    arn = managed(side, name("attached"))
    side("ListAttachedRolePolicies", "of none", **mine)
    side("AttachRolePolicy", **mine, PolicyArn=arn)
    side("AttachRolePolicy", "again", **mine, PolicyArn=arn)
    side("ListAttachedRolePolicies", **mine)
    side("ListEntitiesForPolicy", PolicyArn=arn)
    side("GetPolicy", "attached", PolicyArn=arn)
    side("DeleteRole", "with a policy", **mine)
    side("DetachRolePolicy", **mine, PolicyArn=arn)
    side("DetachRolePolicy", "again", **mine, PolicyArn=arn)
    side("AttachRolePolicy", "policy that is none", **mine, PolicyArn=arn.replace("attached", "none"))
    side("AttachRolePolicy", "role that is none", RoleName=name("none"), PolicyArn=arn)
    side("AttachRolePolicy", "no ARN", **mine, PolicyArn="a-policy-that-is-no-arn")
    side("PutRolePermissionsBoundary", **mine, PermissionsBoundary=arn)
    side("GetRole", "with a boundary", **mine)
    side("DeleteRolePermissionsBoundary", **mine)
    side("GetRole", "without a boundary", **mine)
    side("PutRolePermissionsBoundary", "boundary that is none", **mine, PermissionsBoundary=arn.replace("attached", "none"))
    side("DeletePolicy", PolicyArn=arn)
    side("DeleteRole", **mine)
    # Things of their own, because what one side refuses the other may do.
    role(side, name("holder"), "holder")
    held = managed(side, name("held"), "held")
    side("AttachRolePolicy", "held", RoleName=name("holder"), PolicyArn=held)
    side("DeletePolicy", "attached to a role", PolicyArn=held)


def iam_keeps_providers(side, name):
    # Its own host each run: providers are listed without a filter.
    url = f"https://{name('issuer')}.example.com/id/A1"
    given = {"Url": url, "ClientIDList": ["sts.amazonaws.com"], "ThumbprintList": [THUMBPRINT], "Tags": tags(team="a")}
    made = side("CreateOpenIDConnectProvider", **given)
    mine = {"OpenIDConnectProviderArn": made["OpenIDConnectProviderArn"]}
    side("CreateOpenIDConnectProvider", "again", **given)
    side("GetOpenIDConnectProvider", **mine)
    side("AddClientIDToOpenIDConnectProvider", **mine, ClientID="other")
    side("AddClientIDToOpenIDConnectProvider", "again, the same client", **mine, ClientID="other")
    side("RemoveClientIDFromOpenIDConnectProvider", **mine, ClientID="sts.amazonaws.com")
    side("RemoveClientIDFromOpenIDConnectProvider", "a client that is none", **mine, ClientID="none")
    side("UpdateOpenIDConnectProviderThumbprint", **mine, ThumbprintList=[THUMBPRINT[::-1]])
    side("TagOpenIDConnectProvider", **mine, Tags=tags(run="1"))
    side("UntagOpenIDConnectProvider", **mine, TagKeys=["team"])
    side("ListOpenIDConnectProviderTags", **mine)
    side("GetOpenIDConnectProvider", "changed", **mine)
    side("DeleteOpenIDConnectProvider", **mine)
    side("DeleteOpenIDConnectProvider", "again, deleted", **mine)
    side("GetOpenIDConnectProvider", "deleted", **mine)
    plain = url.replace("https", "http").replace("issuer", "plain")
    side("CreateOpenIDConnectProvider", "no address", Url="issuer", ThumbprintList=[THUMBPRINT])
    side("CreateOpenIDConnectProvider", "plain http", Url=plain, ThumbprintList=[THUMBPRINT])
    side("CreateOpenIDConnectProvider", "short thumbprint", Url=url + "2", ThumbprintList=["abc"])
    side("CreateOpenIDConnectProvider", "six thumbprints", Url=url + "3", ThumbprintList=[THUMBPRINT] * 6)
    side("CreateOpenIDConnectProvider", "without an address")


def iam_knows_its_users(side, name):
    side("GetUser", "that is none", UserName=name("none"))
    side("ListAccountAliases")


def iam_refuses_unknown_actions(side, name):
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    side.raw("unknown", headers=kind, body=b"Action=PaintRole&Version=2010-05-08", service="iam")


CASES = [value for key, value in list(globals().items()) if key.startswith("iam_")]
