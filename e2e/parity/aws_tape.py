"""What a parity test sent to an AWS endpoint and got, exchange by exchange, without signatures and credentials.

A request is kept with `${run}` for the run's own part of names, `${account}`, `${queues}` for the address of the account's
queues, and `${3#/Messages/0/ReceiptHandle}` for that value of the answer to exchange 3.
"""

import json
import re
import urllib.parse

from rules import RULES, pointer_of
from tape import shortened

OPAQUE = set(RULES["aws"]["opaque"]) | set(RULES["aws"]["secrets"]) | {"AccessKeyId"}
QUEUES = re.compile(RULES["aws"]["queue_url"])


class Tape:
    """The exchanges of one test on one side."""

    def __init__(self):
        self.exchanges = []

    def add(self, label, service, credentials, request, status, answer, value):
        leaves = {path: leaf for path, leaf in answer.items() if path != "outcome"}
        self.exchanges.append({
            "label": label, "service": service, "credentials": credentials, "sent": sent(request), "value": value,
            "answer": {"status": status, "leaves": leaves}, "leaves": answer,
        })

    def requests(self, run, account):
        """The requests with references instead of what only this run can know."""
        known, found = {}, []

        def text(value):
            if value in known:
                return known[value]
            return QUEUES.sub("${queues}", value).replace(run, "${run}").replace(account, "${account}")

        def referring(value):
            if isinstance(value, dict):
                return {text(key): referring(held) for key, held in value.items()}
            if isinstance(value, list):
                return [referring(held) for held in value]
            return text(value) if isinstance(value, str) else value

        for number, exchange in enumerate(self.exchanges):
            request = {"service": exchange["service"], **referring(exchange["sent"])}
            if keys := exchange["credentials"]:
                request["as"] = [known[part] for part in (keys.access_key, keys.secret_key, keys.token)]
            found.append(shortened(request))
            for keys, value in opaque(exchange["value"]):
                known[value] = f"${{{number}#{pointer_of(keys)}}}"
        return found


def sent(request):
    """The parts of a prepared request that are not the signer's."""
    headers = {name.lower(): value.decode() if isinstance(value, bytes) else value for name, value in request.headers.items()}
    body = request.body or b""
    body = body.decode() if isinstance(body, bytes) else body
    kept = {"content": headers.get("content-type", "")}
    path = urllib.parse.urlsplit(request.url).path
    if path not in ("", "/"):
        kept["path"] = path
    if "x-amz-target" in headers:
        kept["target"] = headers["x-amz-target"]
    if "authorization" not in headers:
        kept["unsigned"] = True
    if "form" in kept["content"]:
        kept["form"] = [list(pair) for pair in urllib.parse.parse_qsl(body, keep_blank_values=True)]
    else:
        try:
            kept["json"] = json.loads(body)
        except ValueError:
            kept["text"] = body
    return kept


def opaque(value, keys=()):
    if isinstance(value, dict):
        for key, held in value.items():
            if key in OPAQUE and isinstance(held, str) and held:
                yield (*keys, key), held
            else:
                yield from opaque(held, (*keys, key))
    elif isinstance(value, list):
        for index, held in enumerate(value):
            yield from opaque(held, (*keys, index))
