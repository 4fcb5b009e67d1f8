"""One side of a case: an AWS endpoint, called through boto3, with each answer kept as it came over the wire.

What must differ between two clouds (ids, times, addresses, tokens) is replaced here by what must not: an id becomes the
place where it was first seen, so that both sides must give the same message, role or number in the same places. Request ids
are not kept. Secrets are replaced before anything else sees them.
"""

import json
import re
import sys
import urllib.parse
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.httpsession import URLLib3Session
from botocore.parsers import ResponseParserError

sys.path.insert(0, str(Path(__file__).parent.parent / "parity"))
from aws_tape import Tape  # noqa: E402
from rules import RULES, replaced, replacements  # noqa: E402

HEADERS = RULES["aws"]["headers"]
SECRETS = set(RULES["aws"]["secrets"])
HANDLES = set(RULES["aws"]["opaque"])
# Whatever the SDK would refuse by itself is sent all the same: it is the service's answer that is compared.
CONFIG = Config(retries={"total_max_attempts": 1}, parameter_validation=False)
QUEUE_URL = re.compile(RULES["aws"]["queue_url"])
# Ids and numbers that are the same thing wherever they are seen again.
IDS = [re.compile(pattern) for pattern in RULES["aws"]["ids"]]
TIMES = replacements(RULES["aws"]["times"])


class Side:
    """An endpoint under one of its names, and the answers of the case that runs on it now."""

    def __init__(self, name, endpoint, region, keys):
        self.name, self.endpoint, self.region, self.keys = name, endpoint.rstrip("/"), region, keys
        self.clients = {service: self.client(service) for service in ("sqs", "iam", "sts")}
        self.http = URLLib3Session()
        self.account = self.clients["sts"].get_caller_identity()["Account"]
        self.begin()

    def client(self, service, keys=None):
        client = boto3.client(
            service, endpoint_url=self.endpoint, region_name=self.region, config=CONFIG, **(keys or self.keys)
        )
        client.meta.events.register(f"before-send.{service}", self.sending)
        client.meta.events.register(f"before-parse.{service}", self.keep)
        return client

    def sending(self, request, **_):
        self.sent = request

    def keep(self, response_dict, **_):
        self.last = response_dict

    def begin(self):
        """Forgets the last case."""
        self.steps, self.seen, self.handles, self.last, self.sent = {}, {}, set(), None, None
        self.tape = Tape()

    def __call__(self, operation, label=None, /, *, by=None, **parameters):
        """Calls the operation of whichever service has it; what is returned is the SDK's view, also of an error."""
        client = by or next(one for one in self.clients.values() if operation in one.meta.service_model.operation_names)
        method = next(py for py, name in client.meta.method_to_api_mapping.items() if name == operation)
        try:
            parsed = getattr(client, method)(**parameters)
        except ClientError as error:
            parsed = error.response
        except ResponseParserError:
            # Kept all the same, as text.
            parsed = {}
        self.service = client.meta.service_model.service_name
        self.credentials = client._request_signer._credentials if by else None
        self.record(label or operation, self.last["status_code"], self.last["headers"], self.last["body"])
        return parsed

    def raw(self, label, *, headers, body, path="/", service="sqs"):
        """A signed call that boto3 would not make."""
        request = AWSRequest("POST", f"{self.endpoint}{path}", data=body, headers=headers)
        SigV4Auth(self.clients[service]._request_signer._credentials, service, self.region).add_auth(request)
        self.sent, self.service, self.credentials = request.prepare(), service, None
        answer = self.http.send(self.sent)
        self.record(label, answer.status_code, answer.headers, answer.content)
        return answer.content

    def query(self, action, label=None, /, *, url=None, **form):
        """A call of SQS's old query protocol; `__` in a name stands for a dot."""
        form = {"Action": action, "Version": "2012-11-05", **{key.replace("__", "."): form[key] for key in form}}
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        path = urllib.parse.urlparse(url).path if url else "/"
        text = self.raw(label or action, headers=headers, body=urllib.parse.urlencode(form).encode(), path=path)
        return Found(text)

    def record(self, label, status, headers, body):
        step, number = label, 1
        while step in self.steps:
            number += 1
            step = f"{label} {number}"
        self.step = step
        self.steps[step] = answer = {}
        for header in HEADERS:
            if header in headers:
                answer[header] = self.normal(headers[header], header)
        value = structure(body)
        answer |= self.leaves("body", value)
        answer["outcome"] = outcome(status, answer)
        self.tape.add(step, self.service, self.credentials, self.sent, status, answer, value)

    def note(self, label, value):
        """Something that is seen only from the outside, such as whether a poll waited."""
        self.steps[label] = {"outcome": "seen", "seen": value}

    def leaves(self, path, value):
        """The answer as path and value of each leaf, normalised."""
        field = path.rsplit(".", 1)[-1].split("[")[0]
        if field in ("RequestId", "HostId") or field == "ResponseMetadata" and not isinstance(value, dict):
            return {}
        if isinstance(value, dict):
            found = {}
            for key, inner in sorted(value.items()):
                found.update(self.leaves(f"{path}.{key}", inner))
            return found or {path: "{}"}
        if isinstance(value, list):
            found = {}
            for index, inner in enumerate(value):
                found.update(self.leaves(f"{path}[{index}]", inner))
            return found or {path: "[]"}
        if field in SECRETS:
            return {path: "SECRET" if value else "no secret"}
        if field in HANDLES:
            # Others are so short that they stand in other texts by chance.
            self.handles |= {value} if field == "ReceiptHandle" and value else set()
            return {path: "OPAQUE" if value else "empty"}
        return {path: self.normal(value, path) if isinstance(value, str) else value}

    def normal(self, text, path):
        for handle in self.handles:
            text = text.replace(handle, "OPAQUE")
        text = QUEUE_URL.sub("QUEUE_URL/", text)
        for pattern in IDS:
            text = pattern.sub(lambda match: self.named(match, path), text)
        return replaced(text, TIMES).replace(self.account, "ACCOUNT")

    def named(self, match, path):
        prefix = f"{match[0][:4]} " if match[0][:1].isupper() else ""
        return prefix + self.seen.setdefault(match[0], f"as first in {self.step}/{path}")


def outcome(status, answer):
    """Status, and for an error its code and message, whatever the protocol."""
    if status < 300:
        return str(status)
    code = next((value for path, value in answer.items() if path.endswith(("__type", ".Error.Code"))), "no error document")
    message = next((value for path, value in answer.items() if path.lower().endswith(".message")), "")
    return f"{status} {str(code).rsplit('#', 1)[-1]}: {message}"


class Found:
    """What an XML answer holds under a name, wherever it is."""

    def __init__(self, text):
        self.root = ElementTree.fromstring(text)

    def __getitem__(self, tag):
        return next(one.text for one in self.root.iter() if one.tag.rsplit("}", 1)[-1] == tag)


def structure(body):
    """JSON and XML as dictionaries; the order of members means nothing, that of list items does."""
    text = body.decode()
    if not text.strip():
        return "empty"
    if text.lstrip().startswith("<"):
        try:
            root = ElementTree.fromstring(text)
        except ElementTree.ParseError:
            return text
        namespace, _, tag = root.tag.rpartition("}")
        return {"xmlns": namespace[1:], tag: element(root)}
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def element(node):
    if len(node) == 0:
        # White space between the tags of an element that should hold others is nobody's content.
        return (node.text or "") if (node.text or "").strip() else ""
    members = {}
    for child in node:
        members.setdefault(child.tag.rsplit("}", 1)[-1], []).append(element(child))
    return {tag: items[0] if len(items) == 1 else items for tag, items in members.items()}
