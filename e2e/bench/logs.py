"""What the API server's audit log and the AWS endpoint's trail say of a span of time."""

import collections
import json


class Log:
    """A file of one JSON object a line that grows."""

    def __init__(self, path):
        self.path = path

    def mark(self):
        """The end of the file as it is now."""
        with open(self.path, "ab") as file:
            return file.tell()

    def since(self, mark, end=None):
        """The objects between two marks. A line that is cut off at the end is left for later."""
        with open(self.path, "rb") as file:
            file.seek(mark)
            data = file.read() if end is None else file.read(end - mark)
        for line in data.split(b"\n")[:-1]:
            if line:
                yield json.loads(line)


def requests(events, user):
    """Requests of a user by verb and resource, watches aside (each lasts for minutes)."""
    found = collections.Counter()
    for event in events:
        if event["stage"] == "ResponseComplete" and event["user"].get("username") == user and event["verb"] != "watch":
            found[f"{event['verb']} {resource(event)}"] += 1
    return found


WRITES = ("create", "update", "patch", "delete", "deletecollection")
# Questions in the form of objects; nothing is stored.
QUESTIONS = ("subjectaccessreviews", "tokenreviews", "selfsubjectaccessreviews")


def is_write(name):
    """Whether a key of `requests` changes an object."""
    verb, resource = name.split(" ", 1)
    return verb in WRITES and resource not in QUESTIONS


def resource(event):
    reference = event.get("objectRef")
    if not reference:
        return event["requestURI"].split("?")[0]
    parts = [reference["resource"], reference.get("subresource")]
    # Each metric is a resource of its own.
    if reference.get("apiGroup") == "external.metrics.k8s.io":
        parts = ["external.metrics"]
    return "/".join(part for part in parts if part)


def metric_requests(events):
    """Requests for external metrics, whoever asks."""
    return sum(
        1 for event in events
        if event["stage"] == "ResponseComplete" and (event.get("objectRef") or {}).get("apiGroup") == "external.metrics.k8s.io" and event["verb"] != "watch"
    )


def calls(records, agent):
    """AWS calls by service and operation, those of the bench itself aside."""
    found = collections.Counter()
    for record in records:
        if agent not in record.get("userAgent", ""):
            found[f"{record['eventSource'].split('.')[0]} {record['eventName']}"] += 1
    return found


def times(records, agent):
    """When each queue was read, by its URL, in seconds."""
    import datetime

    found = collections.defaultdict(list)
    for record in records:
        if record["eventName"] == "GetQueueAttributes" and agent not in record.get("userAgent", ""):
            moment = datetime.datetime.fromisoformat(record["eventTime"].replace("Z", "+00:00")).timestamp()
            found[(record.get("requestParameters") or {}).get("queueUrl")].append(moment)
    return found
