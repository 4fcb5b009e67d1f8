"""Parity cases of SQS: each takes a side and a maker of names, and calls; what comes back is compared by aws.py."""

import json
import time

# LocalStack looks for what is due once a second.
DUE = 2.5


def queue(side, name, label="CreateQueue", **attributes):
    return side("CreateQueue", label, QueueName=name, Attributes=attributes)["QueueUrl"]


def arn(side, url):
    label = f"ARN of {url.rsplit('-', 1)[-1]}"
    return side("GetQueueAttributes", label, QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def receive(side, url, label="ReceiveMessage", **more):
    return side("ReceiveMessage", label, QueueUrl=url, **more).get("Messages", [])


def counts(side, url, label):
    names = ["", "NotVisible", "Delayed"]
    wanted = [f"ApproximateNumberOfMessages{name}" for name in names]
    side("GetQueueAttributes", label, QueueUrl=url, AttributeNames=wanted)


def sqs_makes_queues(side, name):
    url = queue(side, name("once"), VisibilityTimeout="60")
    queue(side, name("once"), "again, the same", VisibilityTimeout="60")
    queue(side, name("once"), "again, with less said")
    side("CreateQueue", "again, another timeout", QueueName=name("once"), Attributes={"VisibilityTimeout": "61"})
    side("GetQueueUrl", QueueName=name("once"))
    side("GetQueueUrl", "of none", QueueName=name("none"))
    side("GetQueueUrl", "of another account", QueueName=name("once"), QueueOwnerAWSAccountId="999999999999")
    side("GetQueueUrl", "without a name")
    side("CreateQueue", "without a name")
    side("CreateQueue", "empty name", QueueName="")
    side("CreateQueue", "name with a dot", QueueName=name("a.b"))
    side("CreateQueue", "name too long", QueueName="x" * 81)
    side("CreateQueue", "fifo without the suffix", QueueName=name("plain"), Attributes={"FifoQueue": "true"})
    side("CreateQueue", "suffix without fifo", QueueName=name("plain.fifo"))
    side("CreateQueue", "fifo that is false", QueueName=name("plain"), Attributes={"FifoQueue": "false"})
    side("DeleteQueue", QueueUrl=url)
    side("DeleteQueue", "again", QueueUrl=url)
    side("GetQueueUrl", "deleted", QueueName=name("once"))


def sqs_refuses_bad_attributes(side, name):
    url = queue(side, name("bad"))
    for key, value in (
        ("VisibilityTimeout", "43201"),
        ("VisibilityTimeout", "-1"),
        ("VisibilityTimeout", "soon"),
        ("VisibilityTimeout", ""),
        ("DelaySeconds", "901"),
        ("MaximumMessageSize", "1023"),
        ("MaximumMessageSize", "1048577"),
        ("MessageRetentionPeriod", "59"),
        ("ReceiveMessageWaitTimeSeconds", "21"),
        ("ContentBasedDeduplication", "true"),
        ("FifoQueue", "true"),
        ("Policy", "{"),
        ("RedrivePolicy", "{"),
        ("Colour", "blue"),
        ("QueueArn", "arn"),
    ):
        side("SetQueueAttributes", f"set {key}={value}", QueueUrl=url, Attributes={key: value})
    side("CreateQueue", "create with a bad one", QueueName=name("other"), Attributes={"DelaySeconds": "901"})
    side("CreateQueue", "create with an unknown one", QueueName=name("other"), Attributes={"Colour": "blue"})
    side("SetQueueAttributes", "set nothing", QueueUrl=url, Attributes={})
    side("GetQueueAttributes", "get an unknown one", QueueUrl=url, AttributeNames=["Colour"])
    missing = url.replace("bad", "none")
    side("GetQueueAttributes", "get of none", QueueUrl=missing, AttributeNames=["All"])
    side("SetQueueAttributes", "set of none", QueueUrl=missing, Attributes={"DelaySeconds": "1"})
    # A redrive policy that LocalStack takes though it is none breaks its listing of sources ever after.
    side("DeleteQueue", QueueUrl=url)


def sqs_reports_attributes(side, name):
    url = queue(side, name("shown"), DelaySeconds="1")
    side("GetQueueAttributes", "all", QueueUrl=url, AttributeNames=["All"])
    side("GetQueueAttributes", "none asked", QueueUrl=url)
    some = ["DelaySeconds", "VisibilityTimeout", "CreatedTimestamp"]
    side("GetQueueAttributes", "some", QueueUrl=url, AttributeNames=some)
    policy = {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*"}]}
    changed = {"VisibilityTimeout": "7", "Policy": json.dumps({"Version": "2012-10-17", **policy})}
    side("SetQueueAttributes", "set", QueueUrl=url, Attributes=changed)
    side("GetQueueAttributes", "after set", QueueUrl=url, AttributeNames=["VisibilityTimeout", "Policy"])
    side("SetQueueAttributes", "policy away", QueueUrl=url, Attributes={"Policy": ""})
    side("GetQueueAttributes", "after away", QueueUrl=url, AttributeNames=["Policy"])
    ordered = queue(side, name("shown.fifo"), "fifo", FifoQueue="true")
    side("GetQueueAttributes", "all of fifo", QueueUrl=ordered, AttributeNames=["All"])
    high = {"DeduplicationScope": "messageGroup", "FifoThroughputLimit": "perMessageGroupId"}
    side("SetQueueAttributes", "high throughput", QueueUrl=ordered, Attributes=high)
    side("GetQueueAttributes", "of high throughput", QueueUrl=ordered, AttributeNames=list(high))
    keyed = queue(side, name("keyed"), "with a key", KmsMasterKeyId="alias/aws/sqs")
    side("GetQueueAttributes", "of the key", QueueUrl=keyed, AttributeNames=["All"])


def sqs_lists_queues(side, name):
    for number in range(3):
        queue(side, name(f"page-{number}"))
    side("ListQueues", "all of a prefix", QueueNamePrefix=name("page"))
    first = side("ListQueues", "first page", QueueNamePrefix=name("page"), MaxResults=2)
    more = {"QueueNamePrefix": name("page"), "MaxResults": 2, "NextToken": first.get("NextToken", "")}
    side("ListQueues", "second page", **more)
    side("ListQueues", "none found", QueueNamePrefix=name("nothing"))
    side("ListQueues", "page of none", QueueNamePrefix=name("page"), MaxResults=0)
    side("ListQueues", "page too long", QueueNamePrefix=name("page"), MaxResults=1001)


def sqs_brings_messages(side, name):
    url = queue(side, name("bring"))
    attributes = {
        "number": {"DataType": "Number", "StringValue": "1.5"},
        "text.x": {"DataType": "String.kind", "StringValue": "ü"},
        "bytes": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
    }
    trace = {"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-5759e988-bd862e3fe1be46a994272793"}}
    side(
        "SendMessage",
        "send",
        QueueUrl=url,
        MessageBody='héllo <&> "quoted"\r\n\t',
        MessageAttributes=attributes,
        MessageSystemAttributes=trace,
    )
    [first] = receive(side, url, "receive all", MessageAttributeNames=["All"], MessageSystemAttributeNames=["All"])
    side("ChangeMessageVisibility", "again", QueueUrl=url, ReceiptHandle=first["ReceiptHandle"], VisibilityTimeout=0)
    old = {"AttributeNames": ["ApproximateReceiveCount", "SentTimestamp"]}
    [second] = receive(side, url, "receive some", MessageAttributeNames=["text.*", "number"], VisibilityTimeout=0, **old)
    receive(side, url, "receive plain", VisibilityTimeout=0)
    receive(side, url, "receive by a prefix of dot star", MessageAttributeNames=[".*"], VisibilityTimeout=0)
    [last] = receive(side, url, "receive none of that name", MessageAttributeNames=["none"])
    side("DeleteMessage", QueueUrl=url, ReceiptHandle=last["ReceiptHandle"])
    side("DeleteMessage", "again", QueueUrl=url, ReceiptHandle=last["ReceiptHandle"])
    side("DeleteMessage", "by an old handle", QueueUrl=url, ReceiptHandle=second["ReceiptHandle"])
    receive(side, url, "receive nothing")
    side("DeleteMessage", "by no handle", QueueUrl=url, ReceiptHandle="bad")
    side("DeleteMessage", "by an empty handle", QueueUrl=url, ReceiptHandle="")
    side("DeleteMessage", "without a handle", QueueUrl=url)


def sqs_refuses_bad_messages(side, name):
    url = queue(side, name("bad"), MaximumMessageSize="1024")

    def send(label, body="x", **more):
        side("SendMessage", label, QueueUrl=url, MessageBody=body, **more)

    def with_attribute(label, key="a", **value):
        send(label, MessageAttributes={key: value})

    send("empty body", "")
    send("control character", "a\x01b")
    send("no character", "\ufffe")
    send("largest body", "x" * 1024)
    send("body too large", "x" * 1025)
    send("too large with an attribute", "x" * 1020, MessageAttributes={"a": {"DataType": "String", "StringValue": "b"}})
    send("delay too long", DelaySeconds=901)
    send("delay below 0", DelaySeconds=-1)
    with_attribute("no type", StringValue="x")
    with_attribute("empty type", DataType="", StringValue="x")
    with_attribute("unknown type", DataType="Colour", StringValue="x")
    with_attribute("no value", DataType="String")
    with_attribute("empty value", DataType="String", StringValue="")
    with_attribute("number that is none", DataType="Number", StringValue="one")
    with_attribute("bytes as text", DataType="Binary", StringValue="x")
    with_attribute("reserved name", "AWS.x", DataType="String", StringValue="x")
    with_attribute("name with a space", "a b", DataType="String", StringValue="x")
    with_attribute("name that ends in a dot", "a.", DataType="String", StringValue="x")
    with_attribute("name with two dots", "a..b", DataType="String", StringValue="x")
    with_attribute("control character in a value", DataType="String", StringValue="a\x01")
    eleven = {f"a{number}": {"DataType": "String", "StringValue": "x"} for number in range(11)}
    send("eleven attributes", MessageAttributes=eleven)
    send("unknown system attribute", MessageSystemAttributes={"Colour": {"DataType": "String", "StringValue": "x"}})
    send("deduplication on a standard queue", MessageDeduplicationId="x")
    send("group on a standard queue", MessageGroupId="g")
    side("SendMessage", "no body", QueueUrl=url)
    side("SendMessage", "no queue", MessageBody="x")
    side("SendMessage", "queue that is none", QueueUrl=url.replace("bad", "none"), MessageBody="x")
    side("SendMessage", "address that is none", QueueUrl="not-an-address", MessageBody="x")


def sqs_refuses_bad_receives(side, name):
    url = queue(side, name("ask"))
    for parameter, value in (
        ("MaxNumberOfMessages", 0),
        ("MaxNumberOfMessages", 11),
        ("WaitTimeSeconds", -1),
        ("WaitTimeSeconds", 21),
        ("VisibilityTimeout", -1),
        ("VisibilityTimeout", 43201),
        ("MessageSystemAttributeNames", ["Colour"]),
        ("AttributeNames", ["Colour"]),
    ):
        receive(side, url, f"{parameter}={value}", **{parameter: value})
    receive(side, url, "attempt id on a standard queue", ReceiveRequestAttemptId="a")
    receive(side, url.replace("ask", "none"), "of none")


def sqs_hides_messages(side, name):
    url = queue(side, name("hide"), VisibilityTimeout="30")
    side("SendMessage", QueueUrl=url, MessageBody="x")
    counts(side, url, "counts after the send")
    [message] = receive(side, url)
    handle = {"QueueUrl": url, "ReceiptHandle": message["ReceiptHandle"]}
    counts(side, url, "counts while hidden")
    receive(side, url, "hidden")
    side("ChangeMessageVisibility", "to now", **handle, VisibilityTimeout=0)
    counts(side, url, "counts when back")
    [again] = receive(side, url, "back", VisibilityTimeout=3, MessageSystemAttributeNames=["ApproximateReceiveCount"])
    handle["ReceiptHandle"] = again["ReceiptHandle"]
    receive(side, url, "hidden for a while")
    time.sleep(3 + DUE)
    [last] = receive(side, url, "back by itself", MessageSystemAttributeNames=["ApproximateReceiveCount"])
    handle["ReceiptHandle"] = last["ReceiptHandle"]
    time.sleep(0.1)
    side("ChangeMessageVisibility", "for more than half a day together", **handle, VisibilityTimeout=43200)
    side("ChangeMessageVisibility", "without a time", **handle)
    # LocalStack takes a time in the past, and what it then answers hangs on when it next looks: nothing after this asks for it.
    for seconds in (43201, -1):
        side("ChangeMessageVisibility", f"to {seconds}", **handle, VisibilityTimeout=seconds)
    side("ChangeMessageVisibility", "by no handle", QueueUrl=url, ReceiptHandle="bad", VisibilityTimeout=1)
    side("PurgeQueue", QueueUrl=url)
    side("SendMessage", "another", QueueUrl=url, MessageBody="y")
    [other] = receive(side, url, "receive the other")
    handle["ReceiptHandle"] = other["ReceiptHandle"]
    side("DeleteMessage", **handle)
    side("ChangeMessageVisibility", "of a deleted message", **handle, VisibilityTimeout=1)


def sqs_waits(side, name):
    url = queue(side, name("wait"))

    def timed(label, **more):
        begun = time.monotonic()
        found = receive(side, url, label, **more)
        side.note(f"{label}: waited", time.monotonic() - begun > 0.7)
        return found

    timed("short poll")
    timed("long poll", WaitTimeSeconds=1)
    side("SetQueueAttributes", QueueUrl=url, Attributes={"ReceiveMessageWaitTimeSeconds": "1"})
    timed("long poll of the queue's own")
    timed("short poll all the same", WaitTimeSeconds=0)
    side("SendMessage", "delayed", QueueUrl=url, MessageBody="later", DelaySeconds=3)
    counts(side, url, "counts while delayed")
    timed("not yet", WaitTimeSeconds=0)
    time.sleep(3 + DUE)
    timed("there", WaitTimeSeconds=5)


def sqs_sends_batches(side, name):
    url = queue(side, name("batch"))

    def send(label, *entries, **more):
        return side("SendMessageBatch", label, QueueUrl=url, Entries=list(entries), **more)

    def entry(text, body="x", **more):
        return {"Id": text, "MessageBody": body, **more}

    colour = {"a": {"DataType": "Colour", "StringValue": "x"}}
    send("two", entry("a", "one"), entry("b", "two", MessageAttributes={"n": {"DataType": "Number", "StringValue": "1"}}))
    send("one of them late", entry("good"), entry("late", DelaySeconds=901))
    send("one of them empty", entry("good"), entry("empty", ""))
    send("one of them with a control character", entry("good"), entry("control", "\x01"))
    send("one of them of a bad type", entry("good"), entry("type", MessageAttributes=colour))
    send("none")
    send("eleven", *(entry(f"e{number}") for number in range(11)))
    send("the same id twice", entry("a"), entry("a"))
    send("a bad id", entry("a b"))
    send("an empty id", entry(""))
    send("a long id", entry("a" * 81))
    send("too large together", *(entry(f"e{number}", "x" * 150_000) for number in range(8)))
    side("SendMessageBatch", "no entries", QueueUrl=url)
    small = queue(side, name("small"), "queue of small messages", MaximumMessageSize="1024")
    side("SendMessageBatch", "one of them too large", QueueUrl=small, Entries=[entry("a"), entry("b", "x" * 1025)])
    side("SendMessageBatch", "queue that is none", QueueUrl=url.replace("batch", "none"), Entries=[entry("a")])


def sqs_handles_batches(side, name):
    url = queue(side, name("many"))
    bodies = [{"Id": str(number), "MessageBody": str(number)} for number in range(3)]
    side("SendMessageBatch", QueueUrl=url, Entries=bodies)
    found = []
    for number in range(3):
        found += receive(side, url, f"receive {number}", MaxNumberOfMessages=1)
    handles = [message["ReceiptHandle"] for message in found]

    def entries(*rows):
        return [dict(zip(("Id", "ReceiptHandle", "VisibilityTimeout"), row)) for row in rows]

    change = lambda label, *rows: side(
        "ChangeMessageVisibilityBatch", f"change {label}", QueueUrl=url, Entries=entries(*rows)
    )
    delete = lambda label, *rows: side("DeleteMessageBatch", f"delete {label}", QueueUrl=url, Entries=entries(*rows))
    change("one of two", ("a", handles[0], 60), ("b", "bad", 60))
    change("one for too long", ("a", handles[0], 60), ("b", handles[1], 43201))
    change("the same twice", ("a", handles[0], 60), ("a", handles[1], 60))
    change("none")
    delete("one of two", ("a", handles[0]), ("b", "bad"))
    delete("one again", ("a", handles[0]), ("b", handles[1]))
    delete("the same id twice", ("a", handles[2]), ("a", handles[2]))
    delete("a bad id", ("a b", handles[2]))
    delete("none")
    delete("eleven", *((str(number), handles[2]) for number in range(11)))
    counts(side, url, "counts at the end")


def sqs_keeps_fifo_order(side, name):
    url = queue(side, name("order.fifo"), FifoQueue="true", ContentBasedDeduplication="true")

    def send(label, body, group, **more):
        return side("SendMessage", label, QueueUrl=url, MessageBody=body, MessageGroupId=group, **more)

    everything = {"MessageSystemAttributeNames": ["All"]}
    send("first", "1", "g")
    send("second", "2", "g")
    send("first again", "1", "g")
    send("first in another group", "1", "h")
    send("third", "3", "g", MessageDeduplicationId="three")
    send("other body, same id", "4", "g", MessageDeduplicationId="three")
    batch = [{"Id": "a", "MessageBody": "5", "MessageGroupId": "g"}, {"Id": "b", "MessageBody": "6", "MessageGroupId": "h"}]
    side("SendMessageBatch", "batch", QueueUrl=url, Entries=batch)
    counts(side, url, "counts after the sends")
    taken = receive(side, url, "first taken", MaxNumberOfMessages=1, **everything)
    receive(side, url, "while its group waits", MaxNumberOfMessages=1, **everything)
    side("DeleteMessage", QueueUrl=url, ReceiptHandle=taken[0]["ReceiptHandle"])
    rest = receive(side, url, "the rest of the group", MaxNumberOfMessages=10, **everything)
    entries = [{"Id": str(at), "ReceiptHandle": one["ReceiptHandle"]} for at, one in enumerate(rest)]
    side("DeleteMessageBatch", QueueUrl=url, Entries=entries)
    receive(side, url, "nothing but the other group's", MaxNumberOfMessages=10)
    send("duplicate of a deleted one", "1", "g")
    receive(side, url, "nothing of a deleted one")


def sqs_refuses_bad_fifo_messages(side, name):
    url = queue(side, name("strict.fifo"), FifoQueue="true")

    def send(label, **more):
        side("SendMessage", label, QueueUrl=url, MessageBody="x", **more)

    good = {"MessageGroupId": "g", "MessageDeduplicationId": "d"}
    send("no group", MessageDeduplicationId="d")
    send("no deduplication id", MessageGroupId="g")
    send("with a delay", **good, DelaySeconds=1)
    send("group with a space", **{**good, "MessageGroupId": "a b"})
    send("group too long", **{**good, "MessageGroupId": "g" * 129})
    send("empty group", **{**good, "MessageGroupId": ""})
    send("id with a space", **{**good, "MessageDeduplicationId": "a b"})
    send("id too long", **{**good, "MessageDeduplicationId": "d" * 129})
    send("good", **good)
    entries = [{"Id": "good", "MessageBody": "y", "MessageGroupId": "g", "MessageDeduplicationId": "e"}]
    ungrouped = {"Id": "ungrouped", "MessageBody": "y", "MessageDeduplicationId": "f"}
    side("SendMessageBatch", "batch with one without a group", QueueUrl=url, Entries=[*entries, ungrouped])
    unmarked = {"Id": "unmarked", "MessageBody": "y", "MessageGroupId": "g"}
    side("SendMessageBatch", "batch with one without an id", QueueUrl=url, Entries=[*entries, unmarked])
    side("SetQueueAttributes", "no longer fifo", QueueUrl=url, Attributes={"FifoQueue": "false"})
    side("SetQueueAttributes", "bad scope", QueueUrl=url, Attributes={"DeduplicationScope": "none"})
    limit = {"FifoThroughputLimit": "perMessageGroupId", "DeduplicationScope": "queue"}
    side("SetQueueAttributes", "limit that needs the scope", QueueUrl=url, Attributes=limit)


def sqs_moves_dead_letters(side, name):
    dead = queue(side, name("dead"))
    target = arn(side, dead)
    redrive = {"deadLetterTargetArn": target, "maxReceiveCount": 1}
    url = queue(side, name("work"), "with redrive", RedrivePolicy=json.dumps(redrive), VisibilityTimeout="0")
    side("GetQueueAttributes", "policy read", QueueUrl=url, AttributeNames=["RedrivePolicy"])
    side("ListDeadLetterSourceQueues", QueueUrl=dead)
    side("ListDeadLetterSourceQueues", "of no dead letter queue", QueueUrl=url)
    side("SendMessage", QueueUrl=url, MessageBody="bad")
    receive(side, url, "once", MessageSystemAttributeNames=["All"])
    receive(side, url, "not twice")
    counts(side, dead, "counts of the dead")
    receive(side, dead, "dead", MessageSystemAttributeNames=["All"])

    def setting(label, **more):
        attributes = {"RedrivePolicy": json.dumps({**redrive, **more})}
        side("SetQueueAttributes", label, QueueUrl=url, Attributes=attributes)

    setting("count as text", maxReceiveCount="5")
    side("GetQueueAttributes", "count read", QueueUrl=url, AttributeNames=["RedrivePolicy"])
    setting("count of 0", maxReceiveCount=0)
    setting("count of 1001", maxReceiveCount=1001)
    setting("target that is none", deadLetterTargetArn=target.replace("dead", "none"))
    setting("target that is no ARN", deadLetterTargetArn="dead")
    setting("unknown member", colour="blue")
    side("SetQueueAttributes", "no target", QueueUrl=url, Attributes={"RedrivePolicy": '{"maxReceiveCount":1}'})
    side("SetQueueAttributes", "no count", QueueUrl=url, Attributes={"RedrivePolicy": json.dumps({"deadLetterTargetArn": target})})
    ordered = arn(side, queue(side, name("dead.fifo"), "fifo", FifoQueue="true"))
    setting("target of the other kind", deadLetterTargetArn=ordered)
    side("SetQueueAttributes", "nobody may", QueueUrl=dead, Attributes={"RedriveAllowPolicy": '{"redrivePermission":"denyAll"}'})
    setting("to where nobody may")
    side("SetQueueAttributes", "away", QueueUrl=url, Attributes={"RedrivePolicy": ""})
    side("GetQueueAttributes", "after away", QueueUrl=url, AttributeNames=["RedrivePolicy"])


def sqs_keeps_tags(side, name):
    url = side("CreateQueue", QueueName=name("tags"), tags={"team": "a"})["QueueUrl"]
    side("ListQueueTags", "from the start", QueueUrl=url)
    side("TagQueue", QueueUrl=url, Tags={"team": "b", "empty": ""})
    side("ListQueueTags", QueueUrl=url)
    side("UntagQueue", QueueUrl=url, TagKeys=["empty", "none"])
    side("UntagQueue", "the last", QueueUrl=url, TagKeys=["team"])
    side("ListQueueTags", "of no tags", QueueUrl=url)
    side("CreateQueue", "again with other tags", QueueName=name("tags"), tags={"team": "c"})
    side("ListQueueTags", "after again", QueueUrl=url)
    side("TagQueue", "no tags", QueueUrl=url)
    side("TagQueue", "fifty-one tags", QueueUrl=url, Tags={f"k{number}": "v" for number in range(51)})
    for operation, more in (("TagQueue", {"Tags": {"a": "b"}}), ("UntagQueue", {"TagKeys": ["a"]}), ("ListQueueTags", {})):
        side(operation, f"{operation} of none", QueueUrl=url.replace("tags", "none"), **more)


def sqs_purges_and_deletes(side, name):
    url = queue(side, name("purge"))
    side("SendMessage", QueueUrl=url, MessageBody="x")
    side("PurgeQueue", QueueUrl=url)
    counts(side, url, "counts after")
    receive(side, url, "nothing left")
    side("PurgeQueue", "again", QueueUrl=url)
    side("DeleteQueue", QueueUrl=url)
    for operation, more in (
        ("PurgeQueue", {}),
        ("SendMessage", {"MessageBody": "x"}),
        ("ReceiveMessage", {}),
        ("DeleteMessage", {"ReceiptHandle": "x"}),
        ("ChangeMessageVisibility", {"ReceiptHandle": "x", "VisibilityTimeout": 1}),
        ("DeleteMessageBatch", {"Entries": [{"Id": "a", "ReceiptHandle": "x"}]}),
        ("ListDeadLetterSourceQueues", {}),
    ):
        side(operation, f"{operation} of a deleted queue", QueueUrl=url, **more)
    side("CreateQueue", "the name too soon", QueueName=name("purge"))


def sqs_speaks_query(side, name):
    side.query("CreateQueue", QueueName=name("old"), Attribute__1__Name="VisibilityTimeout", Attribute__1__Value="5")
    url = side.query("GetQueueUrl", QueueName=name("old"))["QueueUrl"]
    side.query("GetQueueAttributes", url=url, AttributeName__1="QueueArn", AttributeName__2="VisibilityTimeout")
    side.query("SetQueueAttributes", url=url, Attribute__1__Name="VisibilityTimeout", Attribute__1__Value="6")
    side.query("GetQueueAttributes", "by QueueUrl", QueueUrl=url, AttributeName__1="VisibilityTimeout")
    typed = {"MessageAttribute__1__Name": "n", "MessageAttribute__1__Value__DataType": "Number"}
    side.query("SendMessage", url=url, MessageBody="a&b <c>", **typed, MessageAttribute__1__Value__StringValue="1")
    wanted = {"AttributeName__1": "ApproximateReceiveCount", "MessageAttributeName__1": "All"}
    handle = side.query("ReceiveMessage", url=url, **wanted)["ReceiptHandle"]
    side.query("ReceiveMessage", "nothing there", url=url)
    side.query("ChangeMessageVisibility", url=url, ReceiptHandle=handle, VisibilityTimeout="0")
    side.query("DeleteMessage", url=url, ReceiptHandle=handle)
    entry = "SendMessageBatchRequestEntry__{}__".format
    entries = {entry(1) + "Id": "good", entry(1) + "MessageBody": "x", entry(2) + "Id": "late", entry(2) + "MessageBody": "x"}
    side.query("SendMessageBatch", url=url, **entries, **{entry(2) + "DelaySeconds": "901"})
    entry = "DeleteMessageBatchRequestEntry__{}__".format
    side.query("DeleteMessageBatch", url=url, **{entry(1) + "Id": "a", entry(1) + "ReceiptHandle": "bad"})
    entry = "ChangeMessageVisibilityBatchRequestEntry__{}__".format
    entries = {entry(1) + "Id": "a", entry(1) + "ReceiptHandle": "bad", entry(1) + "VisibilityTimeout": "1"}
    side.query("ChangeMessageVisibilityBatch", url=url, **entries)
    side.query("TagQueue", url=url, Tag__1__Key="team", Tag__1__Value="a")
    side.query("ListQueueTags", url=url)
    side.query("UntagQueue", url=url, TagKey__1="team")
    side.query("ListQueues", QueueNamePrefix=name("old"))
    side.query("ListQueues", "none", QueueNamePrefix=name("nothing"))
    side.query("ListDeadLetterSourceQueues", url=url)
    side.query("PurgeQueue", url=url)
    side.query("DeleteQueue", url=url)


def sqs_refuses_in_query(side, name):
    side.query("CreateQueue", QueueName=name("old"), Attribute__1__Name="VisibilityTimeout", Attribute__1__Value="5")
    url = side.query("GetQueueUrl", QueueName=name("old"))["QueueUrl"]
    side.query("GetQueueUrl", "of none", QueueName=name("none"))
    side.query("GetQueueUrl", "without a name")
    side.query("CreateQueue", "bad name", QueueName=name("a.b"))
    side.query("CreateQueue", "differs", QueueName=name("old"), Attribute__1__Name="VisibilityTimeout", Attribute__1__Value="9")
    side.query("SendMessage", "without a body", url=url)
    side.query("SendMessage", "delay too long", url=url, MessageBody="x", DelaySeconds="901")
    side.query("SendMessage", "delay that is no number", url=url, MessageBody="x", DelaySeconds="soon")
    side.query("ReceiveMessage", "too many", url=url, MaxNumberOfMessages="11")
    side.query("DeleteMessage", "bad handle", url=url, ReceiptHandle="bad")
    side.query("DeleteMessage", "without a handle", url=url)
    side.query("SendMessageBatch", "empty batch", url=url)
    twice = {"SendMessageBatchRequestEntry__1__Id": "a", "SendMessageBatchRequestEntry__1__MessageBody": "x"}
    twice |= {key.replace("1", "2"): value for key, value in twice.items()}
    side.query("SendMessageBatch", "the same id twice", url=url, **twice)
    side.query("SetQueueAttributes", "unknown attribute", url=url, Attribute__1__Name="Colour", Attribute__1__Value="blue")
    side.query("GetQueueAttributes", "unknown attribute asked", url=url, AttributeName__1="Colour")
    side.query("PaintQueue", "unknown action", url=url)
    side.query("PurgeQueue", url=url)
    side.query("PurgeQueue", "again", url=url)
    side.query("DeleteQueue", url=url)
    side.query("SendMessage", "to a deleted queue", url=url, MessageBody="x")


def sqs_refuses_bad_requests(side, name):
    def ask(label, target, body, kind="application/x-amz-json-1.0"):
        side.raw(label, headers={"Content-Type": kind, "X-Amz-Target": target}, body=body)

    ask("no JSON", "AmazonSQS.ListQueues", b"{")
    ask("a list", "AmazonSQS.GetQueueUrl", b"[]")
    ask("nothing", "AmazonSQS.GetQueueUrl", b"")
    ask("unknown operation", "AmazonSQS.PaintQueue", b"{}")
    ask("text for a number", "AmazonSQS.ListQueues", json.dumps({"MaxResults": "x", "QueueNamePrefix": name("x")}).encode())
    ask("number for a text", "AmazonSQS.GetQueueUrl", b'{"QueueName": 1}')
    ask("text for a list", "AmazonSQS.GetQueueAttributes", b'{"QueueUrl": "x", "AttributeNames": "All"}')
    wrong = {"a": {"DataType": "Binary", "BinaryValue": "*"}}
    body = {"QueueUrl": name("x"), "MessageBody": "x", "MessageAttributes": wrong}
    ask("bytes that are no base 64", "AmazonSQS.SendMessage", json.dumps(body).encode())


CASES = [value for key, value in list(globals().items()) if key.startswith("sqs_")]
