#!/usr/bin/env python3
"""The local AWS endpoint as boto3 knows AWS: one line a check, and an exit code other than 0 if any of them fails.

Needs boto3 and a running local cloud, named by the environment as `sluice env` exports it:

    sluice local start --time-scale 20 && eval "$(sluice env)" && python3 e2e/stock/aws.py

It asks nothing of Sluice that it would not ask of AWS; only the time scale is read, from the endpoint's health page, to
turn the minutes that AWS makes one wait into what they are here.
"""

import base64
import hashlib
import json
import os
import ssl
import struct
import sys
import tempfile
import threading
import time
import traceback
import urllib.error
import urllib.parse
import urllib.request
import uuid

import boto3
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.exceptions import ClientError

ENDPOINT = os.environ.get("AWS_ENDPOINT_URL")
if not ENDPOINT:
    sys.exit("AWS_ENDPOINT_URL is not set, so this would go to AWS itself; run: eval \"$(sluice env)\"")
# Names of this run only, so that it can be repeated on the same cloud.
RUN = uuid.uuid4().hex[:8]
ONCE = Config(retries={"total_max_attempts": 1})
SESSION = boto3.session.Session()
REGION = SESSION.region_name

sqs, iam, sts, eks = (SESSION.client(name, config=ONCE) for name in ("sqs", "iam", "sts", "eks"))
ACCOUNT = sts.get_caller_identity()["Account"]
with urllib.request.urlopen(f"{ENDPOINT}/_sluice/health") as page:
    SCALE = json.load(page)["scale"]


def name(text):
    return f"stock-{RUN}-{text}"


def refused(code, call, *, says=""):
    """The call fails with this error code, and the message contains `says`."""
    try:
        call()
    except ClientError as error:
        found = error.response["Error"]
        assert found["Code"] == code, f"expected {code}, got {found}"
        assert says in found["Message"], f"expected a message with {says!r}, got {found['Message']!r}"
        return
    # The answer is not shown: it may hold credentials.
    raise AssertionError(f"expected {code}, but the call succeeded")


def until(what, check, *, seconds=120):
    """Asks again until `check` gives something, at most for these seconds of real time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = check()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"no {what} within {seconds} s")


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action, resource="*", **more):
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def trust(principal, action="sts:AssumeRole", **more):
    return document({"Effect": "Allow", "Principal": principal, "Action": action, **more})


def clients(credentials, *services):
    """Clients with the temporary credentials of an STS answer."""
    keys = {
        "aws_access_key_id": credentials["AccessKeyId"],
        "aws_secret_access_key": credentials["SecretAccessKey"],
        "aws_session_token": credentials["SessionToken"],
    }
    made = [boto3.client(service, config=ONCE, region_name=REGION, **keys) for service in services]
    return made[0] if len(made) == 1 else made


def queue(text, **attributes):
    url = sqs.create_queue(QueueName=name(text), Attributes=attributes)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    return url, arn


def receive(url, **more):
    return sqs.receive_message(QueueUrl=url, **more).get("Messages", [])


def signed(form, path="/", *, presigned=None):
    """A call of the old query protocol, which boto3 itself no longer speaks to SQS."""
    body = urllib.parse.urlencode({"Version": "2012-11-05", **form})
    credentials = SESSION.get_credentials()
    if presigned:
        request = AWSRequest("GET", f"{ENDPOINT}{path}?{body}")
        SigV4QueryAuth(credentials, "sqs", REGION, expires=presigned).add_auth(request)
        data = None
    else:
        data = body.encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        request = AWSRequest("POST", f"{ENDPOINT}{path}", data=body, headers=headers)
        SigV4Auth(credentials, "sqs", REGION).add_auth(request)
    ready = request.prepare()
    sent = urllib.request.Request(ready.url, data=data, headers=dict(ready.headers.items()), method=ready.method)
    try:
        with urllib.request.urlopen(sent) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


# -- SQS ---------------------------------------------------------------------------------------------------------------


def a_queue_is_created_once_and_a_different_attribute_is_refused():
    url, _ = queue("once", VisibilityTimeout="60")
    assert queue("once", VisibilityTimeout="60")[0] == url == sqs.get_queue_url(QueueName=name("once"))["QueueUrl"]
    refused("QueueAlreadyExists", lambda: queue("once", VisibilityTimeout="61"), says="VisibilityTimeout")
    sqs.tag_queue(QueueUrl=url, Tags={"team": "a", "gone": ""})
    sqs.untag_queue(QueueUrl=url, TagKeys=["gone"])
    assert sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"team": "a"}


def queues_are_listed_by_prefix_and_page():
    for number in range(3):
        queue(f"page-{number}")
    pages = sqs.get_paginator("list_queues").paginate(
        QueueNamePrefix=name("page-"), PaginationConfig={"PageSize": 2}
    )
    assert [len(page["QueueUrls"]) for page in pages] == [2, 1]


def a_message_comes_back_as_it_was_sent_with_its_digests():
    url, _ = queue("digest")
    body = 'héllo <&> "quoted"\r\n\t'
    attributes = {
        "number": {"DataType": "Number", "StringValue": "1.5"},
        "text.x": {"DataType": "String.kind", "StringValue": "ü"},
        "bytes": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
    }
    packed = b""
    for key, value in sorted(attributes.items()):
        for part in (key.encode(), value["DataType"].encode()):
            packed += struct.pack(">I", len(part)) + part
        data = value.get("BinaryValue") or value["StringValue"].encode()
        packed += (b"\x02" if "BinaryValue" in value else b"\x01") + struct.pack(">I", len(data)) + data
    digest = hashlib.md5(packed).hexdigest()
    sent = sqs.send_message(QueueUrl=url, MessageBody=body, MessageAttributes=attributes)
    assert sent["MD5OfMessageBody"] == hashlib.md5(body.encode()).hexdigest()
    assert sent["MD5OfMessageAttributes"] == digest
    [message] = receive(url, MessageAttributeNames=["All"])
    assert message["Body"] == body and message["MessageAttributes"] == attributes
    assert message["MD5OfMessageAttributes"] == digest


def a_long_poll_is_woken_by_a_send():
    url, _ = queue("poll")
    asked = threading.Event()
    other = SESSION.client("sqs", config=ONCE)
    other.meta.events.register("before-send.sqs.ReceiveMessage", lambda **_: asked.set())
    found = []
    poll = threading.Thread(target=lambda: found.extend(other.receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"]))
    begun = time.monotonic()
    poll.start()
    assert asked.wait(10)
    sqs.send_message(QueueUrl=url, MessageBody="wake")
    poll.join(20)
    assert [message["Body"] for message in found] == ["wake"]
    assert time.monotonic() - begun < 20 / SCALE, "it came only when the poll was over"


def a_batch_fails_in_parts():
    url, _ = queue("batch")
    entries = [{"Id": "good", "MessageBody": "x"}, {"Id": "late", "MessageBody": "x", "DelaySeconds": 901}]
    answer = sqs.send_message_batch(QueueUrl=url, Entries=entries)
    assert [entry["Id"] for entry in answer["Successful"]] == ["good"]
    assert [(entry["Id"], entry["Code"], entry["SenderFault"]) for entry in answer["Failed"]] == [
        ("late", "InvalidParameterValue", True)
    ]
    refused(
        "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
        lambda: sqs.send_message_batch(QueueUrl=url, Entries=[entries[0], entries[0]]),
    )
    [message] = receive(url, MaxNumberOfMessages=10)
    deletes = [{"Id": "a", "ReceiptHandle": message["ReceiptHandle"]}, {"Id": "b", "ReceiptHandle": "bad"}]
    answer = sqs.delete_message_batch(QueueUrl=url, Entries=deletes)
    assert [entry["Id"] for entry in answer["Successful"]] == ["a"]
    assert answer["Failed"][0]["Code"] == "ReceiptHandleIsInvalid"


def a_fifo_queue_keeps_order_and_drops_duplicates():
    url, _ = queue("order.fifo", FifoQueue="true", ContentBasedDeduplication="true")
    for body in ("1", "2", "1", "3"):
        sqs.send_message(QueueUrl=url, MessageBody=body, MessageGroupId="g")
    bodies = []
    while messages := receive(url, MaxNumberOfMessages=1):
        bodies.append(messages[0]["Body"])
        assert not receive(url), "a group waits for its first message"
        sqs.delete_message(QueueUrl=url, ReceiptHandle=messages[0]["ReceiptHandle"])
    assert bodies == ["1", "2", "3"], bodies


def dead_letters_go_to_their_queue():
    dead, arn = queue("dead")
    redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 1})
    url, source = queue("redrive", RedrivePolicy=redrive, VisibilityTimeout="0")
    sqs.send_message(QueueUrl=url, MessageBody="bad")
    assert receive(url) and not receive(url)
    [message] = receive(dead, MessageSystemAttributeNames=["All"])
    assert message["Attributes"]["DeadLetterQueueSourceArn"] == source


def a_queue_is_purged_once_a_minute_and_its_name_is_free_after_another():
    url, _ = queue("minute")
    sqs.purge_queue(QueueUrl=url)
    refused("AWS.SimpleQueueService.PurgeQueueInProgress", lambda: sqs.purge_queue(QueueUrl=url))
    sqs.delete_queue(QueueUrl=url)
    refused("AWS.SimpleQueueService.NonExistentQueue", lambda: receive(url))
    refused("AWS.SimpleQueueService.QueueDeletedRecently", lambda: queue("minute"))
    begun = time.monotonic()

    def again():
        try:
            return queue("minute")
        except ClientError as error:
            assert error.response["Error"]["Code"].endswith("QueueDeletedRecently"), error
            return None

    until("free name", again, seconds=90 / SCALE + 10)
    assert time.monotonic() - begun > 60 / SCALE - 1


def the_old_query_protocol_and_presigned_urls_work():
    url, _ = queue("query")
    path = urllib.parse.urlparse(url).path
    status, text = signed({"Action": "SendMessage", "MessageBody": "a&b"}, path)
    assert status == 200 and hashlib.md5(b"a&b").hexdigest() in text, text
    status, text = signed({"Action": "ReceiveMessage", "AttributeName.1": "All"}, path, presigned=60)
    assert status == 200 and "<Body>a&amp;b</Body>" in text, text
    status, text = signed({"Action": "GetQueueUrl", "QueueName": name("none")})
    assert status == 400 and "<Code>AWS.SimpleQueueService.NonExistentQueue</Code>" in text, text


# -- who may do what ---------------------------------------------------------------------------------------------------


def a_wrong_key_is_refused_by_each_service_in_its_own_words():
    known = SESSION.get_credentials().access_key
    wrong = {"aws_secret_access_key": "wrong", "region_name": REGION, "config": ONCE}
    for service, operation, mismatch, unknown in (
        ("sqs", "list_queues", "SignatureDoesNotMatch", "InvalidClientTokenId"),
        ("iam", "list_roles", "SignatureDoesNotMatch", "InvalidClientTokenId"),
        ("sts", "get_caller_identity", "SignatureDoesNotMatch", "InvalidClientTokenId"),
        ("eks", "list_clusters", "InvalidSignatureException", "UnrecognizedClientException"),
    ):
        for key, code in ((known, mismatch), ("AKIAUNKNOWN000000000", unknown)):
            client = boto3.client(service, aws_access_key_id=key, **wrong)
            refused(code, lambda: getattr(client, operation)())


def a_session_may_do_what_its_role_may_and_no_more():
    url, arn = queue("session")
    role = iam.create_role(
        RoleName=name("reader"), AssumeRolePolicyDocument=trust({"AWS": sts.get_caller_identity()["Arn"]})
    )["Role"]["Arn"]
    put = {"RoleName": name("reader"), "PolicyName": "inline"}
    iam.put_role_policy(**put, PolicyDocument=document(allow("sqs:GetQueueAttributes", arn)))
    assumed = sts.assume_role(RoleArn=role, RoleSessionName="stock")
    who, reader = clients(assumed["Credentials"], "sts", "sqs")
    session = who.get_caller_identity()["Arn"]
    assert session == f"arn:aws:sts::{ACCOUNT}:assumed-role/{name('reader')}/stock"
    reader.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
    words = f"User: {session} is not authorized to perform: sqs:sendmessage on resource: {arn}"
    send = lambda: reader.send_message(QueueUrl=url, MessageBody="x")
    refused("AccessDenied", send, says=f"{words} because no identity-based policy allows the sqs:sendmessage action")
    deny = {"Effect": "Deny", "Action": "sqs:Send*", "Resource": arn}
    iam.put_role_policy(**put, PolicyDocument=document(allow("sqs:*"), deny))
    refused("AccessDenied", send, says=f"{words} with an explicit deny in an identity-based policy")
    narrow = sts.assume_role(RoleArn=role, RoleSessionName="narrow", Policy=document(allow("sqs:Get*")))
    narrow = clients(narrow["Credentials"], "sqs")
    narrow.get_queue_attributes(QueueUrl=url)
    refused("AccessDenied", lambda: narrow.purge_queue(QueueUrl=url), says="no session policy allows")
    missing = f"arn:aws:iam::{ACCOUNT}:role/{name('none')}"
    refused("AccessDenied", lambda: sts.assume_role(RoleArn=missing, RoleSessionName="stock"))


def iam_refuses_what_conflicts():
    role = {"RoleName": name("conflict")}
    iam.create_role(**role, AssumeRolePolicyDocument=trust({"Service": "eks.amazonaws.com"}))
    refused(
        "EntityAlreadyExists",
        lambda: iam.create_role(**role, AssumeRolePolicyDocument=trust({"Service": "eks.amazonaws.com"})),
    )
    refused(
        "MalformedPolicyDocument",
        lambda: iam.put_role_policy(**role, PolicyName="p", PolicyDocument=document({"Effect": "Allow", "Action": "sqs:*"})),
    )
    policy = iam.create_policy(PolicyName=name("conflict"), PolicyDocument=document(allow("sqs:*")))["Policy"]["Arn"]
    iam.attach_role_policy(**role, PolicyArn=policy)
    refused("DeleteConflict", lambda: iam.delete_role(**role))
    refused("DeleteConflict", lambda: iam.delete_policy(PolicyArn=policy))
    iam.detach_role_policy(**role, PolicyArn=policy)
    iam.delete_policy(PolicyArn=policy)
    iam.delete_role(**role)
    refused("NoSuchEntity", lambda: iam.get_role(**role))


# -- EKS, and the identity that a pod gets from it -----------------------------------------------------------------------

CLUSTER = name("cluster")


def service_role(text, service):
    return iam.create_role(RoleName=name(text), AssumeRolePolicyDocument=trust({"Service": service}))["Role"]["Arn"]


def waited(waiter, **parameters):
    eks.get_waiter(waiter).wait(**parameters, WaiterConfig={"Delay": 1, "MaxAttempts": 120})


def a_cluster_becomes_active_and_takes_one_profile_operation_at_a_time():
    role, pods = service_role("cluster", "eks.amazonaws.com"), service_role("pods", "eks-fargate-pods.amazonaws.com")
    network = {"subnetIds": ["subnet-a", "subnet-b"]}
    mode = {"authenticationMode": "API_AND_CONFIG_MAP"}
    create = lambda: eks.create_cluster(name=CLUSTER, roleArn=role, resourcesVpcConfig=network, accessConfig=mode)
    assert create()["cluster"]["status"] == "CREATING"
    refused("ResourceInUseException", create)
    waited("cluster_active", name=CLUSTER)

    def profile(text, *namespaces):
        return eks.create_fargate_profile(
            clusterName=CLUSTER,
            fargateProfileName=text,
            podExecutionRoleArn=pods,
            selectors=[{"namespace": namespace} for namespace in namespaces],
        )

    refused("InvalidParameterException", lambda: profile("six", *"abcdef"))
    profile("one", "default", "kube-system")
    refused("ResourceInUseException", lambda: profile("two", "default"), says="in status CREATING")
    waited("fargate_profile_active", clusterName=CLUSTER, fargateProfileName="one")
    refused("ResourceInUseException", lambda: eks.delete_cluster(name=CLUSTER), says="fargate profiles")


def coredns_and_access_entries_belong_to_a_cluster():
    configuration = json.dumps({"computeType": "Fargate"})
    eks.create_addon(clusterName=CLUSTER, addonName="coredns", configurationValues=configuration)
    refused("ResourceInUseException", lambda: eks.create_addon(clusterName=CLUSTER, addonName="coredns"))
    waited("addon_active", clusterName=CLUSTER, addonName="coredns")
    principal = service_role("viewer", "ec2.amazonaws.com")
    entry = eks.create_access_entry(clusterName=CLUSTER, principalArn=principal, kubernetesGroups=["viewers"])
    view = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy"
    scope = {"type": "namespace", "namespaces": ["default"]}
    eks.associate_access_policy(clusterName=CLUSTER, principalArn=principal, policyArn=view, accessScope=scope)
    listed = eks.list_associated_access_policies(clusterName=CLUSTER, principalArn=principal)
    assert [(one["policyArn"], one["accessScope"]) for one in listed["associatedAccessPolicies"]] == [(view, scope)]
    arn = entry["accessEntry"]["accessEntryArn"]
    eks.tag_resource(resourceArn=arn, tags={"run": RUN})
    assert eks.list_tags_for_resource(resourceArn=arn)["tags"] == {"run": RUN}
    found = SESSION.client("resourcegroupstaggingapi").get_resources(TagFilters=[{"Key": "run", "Values": [RUN]}])
    assert [one["ResourceARN"] for one in found["ResourceTagMappingList"]] == [arn]
    eks.delete_access_entry(clusterName=CLUSTER, principalArn=principal)
    refused(
        "ResourceNotFoundException", lambda: eks.describe_access_entry(clusterName=CLUSTER, principalArn=principal)
    )


def pod_token(audience):
    """A token of the service account default/default, asked for as `kubectl create token` does, signed in as `aws eks get-token` does."""
    cluster = eks.describe_cluster(name=CLUSTER)["cluster"]
    request = AWSRequest(
        "GET", f"{ENDPOINT}/?Action=GetCallerIdentity&Version=2011-06-15", headers={"x-k8s-aws-id": CLUSTER}
    )
    SigV4QueryAuth(SESSION.get_credentials(), "sts", REGION, expires=60).add_auth(request)
    bearer = base64.urlsafe_b64encode(request.url.encode()).rstrip(b"=").decode()
    with tempfile.NamedTemporaryFile(suffix=".pem") as roots:
        roots.write(base64.b64decode(cluster["certificateAuthority"]["data"]))
        roots.flush()
        context = ssl.create_default_context(cafile=roots.name)
    asked = urllib.request.Request(
        f"{cluster['endpoint']}/api/v1/namespaces/default/serviceaccounts/default/token",
        data=json.dumps({"spec": {"audiences": [audience], "expirationSeconds": 600}}).encode(),
        headers={"Authorization": f"Bearer k8s-aws-v1.{bearer}", "Content-Type": "application/json"},
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    try:
        with opener.open(asked) as answer:
            return json.load(answer)["status"]["token"], cluster["identity"]["oidc"]["issuer"]
    except urllib.error.HTTPError as error:
        # The account is made a moment after its namespace.
        assert error.code == 404, error.read()
        return None


def a_pods_token_becomes_the_role_that_trusts_it_and_no_other():
    audience = "sts.amazonaws.com"
    token, issuer = until("service account", lambda: pod_token(audience))
    host = issuer.removeprefix("https://")
    condition = lambda subject: {"StringEquals": {f"{host}:sub": subject, f"{host}:aud": audience}}
    provider = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{host}"
    action = "sts:AssumeRoleWithWebIdentity"

    def role(text, subject):
        policy = trust({"Federated": provider}, action, Condition=condition(subject))
        return iam.create_role(RoleName=name(text), AssumeRolePolicyDocument=policy)["Role"]["Arn"]

    mine, other = role("mine", "system:serviceaccount:default:default"), role("other", "system:serviceaccount:x:y")
    assume = lambda arn, token: sts.assume_role_with_web_identity(
        RoleArn=arn, RoleSessionName="pod", WebIdentityToken=token
    )
    refused("InvalidIdentityToken", lambda: assume(mine, token), says="No OpenIDConnect provider found")
    assert iam.create_open_id_connect_provider(Url=issuer, ClientIDList=[audience])["OpenIDConnectProviderArn"] == provider
    assumed = assume(mine, token)
    assert assumed["SubjectFromWebIdentityToken"] == "system:serviceaccount:default:default"
    who = clients(assumed["Credentials"], "sts").get_caller_identity()["Arn"]
    assert who == f"arn:aws:sts::{ACCOUNT}:assumed-role/{name('mine')}/pod"
    refused("AccessDenied", lambda: assume(other, token), says="Not authorized to perform sts:AssumeRoleWithWebIdentity")
    foreign, _ = pod_token("somebody.else")
    refused("InvalidIdentityToken", lambda: assume(mine, foreign), says="Incorrect token audience")
    head, claims, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(claims + "=="))
    claims["sub"] = "system:serviceaccount:x:y"
    claims = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    refused("InvalidIdentityToken", lambda: assume(other, f"{head}.{claims}.{signature}"))
    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=provider)
    refused("InvalidIdentityToken", lambda: assume(mine, token), says="No OpenIDConnect provider found")


def a_cluster_is_deleted_after_its_profiles():
    eks.delete_fargate_profile(clusterName=CLUSTER, fargateProfileName="one")
    refused("ResourceInUseException", lambda: eks.delete_cluster(name=CLUSTER))
    waited("fargate_profile_deleted", clusterName=CLUSTER, fargateProfileName="one")
    eks.delete_cluster(name=CLUSTER)
    waited("cluster_deleted", name=CLUSTER)
    refused("ResourceNotFoundException", lambda: eks.describe_cluster(name=CLUSTER))


CHECKS = [
    a_queue_is_created_once_and_a_different_attribute_is_refused,
    queues_are_listed_by_prefix_and_page,
    a_message_comes_back_as_it_was_sent_with_its_digests,
    a_long_poll_is_woken_by_a_send,
    a_batch_fails_in_parts,
    a_fifo_queue_keeps_order_and_drops_duplicates,
    dead_letters_go_to_their_queue,
    a_queue_is_purged_once_a_minute_and_its_name_is_free_after_another,
    the_old_query_protocol_and_presigned_urls_work,
    a_wrong_key_is_refused_by_each_service_in_its_own_words,
    a_session_may_do_what_its_role_may_and_no_more,
    iam_refuses_what_conflicts,
    a_cluster_becomes_active_and_takes_one_profile_operation_at_a_time,
    coredns_and_access_entries_belong_to_a_cluster,
    a_pods_token_becomes_the_role_that_trusts_it_and_no_other,
    a_cluster_is_deleted_after_its_profiles,
]


def tidy():
    """Takes away what this run made; what is gone already is fine."""
    for page in sqs.get_paginator("list_queues").paginate(QueueNamePrefix=f"stock-{RUN}"):
        for url in page.get("QueueUrls", []):
            sqs.delete_queue(QueueUrl=url)
    for page in iam.get_paginator("list_roles").paginate():
        for role in (role["RoleName"] for role in page["Roles"] if role["RoleName"].startswith(f"stock-{RUN}")):
            for policy in iam.list_role_policies(RoleName=role)["PolicyNames"]:
                iam.delete_role_policy(RoleName=role, PolicyName=policy)
            iam.delete_role(RoleName=role)


def main():
    failed = 0
    for check in CHECKS:
        begun = time.monotonic()
        title = check.__name__.replace("_", " ")
        try:
            check()
        except Exception:
            failed += 1
            print(f"FAILED  {title}\n{traceback.format_exc()}", flush=True)
        else:
            print(f"ok      {title} ({time.monotonic() - begun:.1f} s)", flush=True)
    tidy()
    print(f"{len(CHECKS) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
