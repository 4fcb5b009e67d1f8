"""What a parity test sent and got, exchange by exchange, and the file that keeps it.

A request is kept with references instead of what only its own run can know: `${3#/metadata/uid}` is that value of the answer to
exchange 3 of the same file, `${x*1025}` is a long run of one letter.
"""

import json
import re
from pathlib import Path

from rules import RULES, pieces, pointer_of

FOLDER = Path(__file__).with_name("recorded")
WIDTH = 150
LONG_RUN = re.compile(r"(.)\1{63,}")
# The name of an exchange whose answer is all that the test returns.
WHOLE = "the answer"
VOLATILE = set(RULES["kubernetes"]["volatile"])
OF_QUERY = re.compile(r"(?<=[?&])(resourceVersion|continue)=([^&]*)")


def copied(value):
    return json.loads(json.dumps(value))


def shortened(value):
    """Long runs of one letter as how many they are, everywhere in the value."""
    if isinstance(value, dict):
        return {key: shortened(held) for key, held in value.items()}
    if isinstance(value, list):
        return [shortened(held) for held in value]
    if isinstance(value, str):
        return LONG_RUN.sub(lambda run: f"${{{run[1]}*{len(run[0])}}}", value)
    return value


def lined(body):
    """The events of a watch, which come a line each."""
    if isinstance(body, str) and body.startswith("{"):
        try:
            return [json.loads(line) for line in body.splitlines()]
        except ValueError:
            pass
    return body


class Tape:
    """The exchanges of one test on one side."""

    def __init__(self):
        self.exchanges = []
        # The answers as the test has them: where they stand in what it returns is the name of the exchange.
        self.answers = []

    def add(self, request, answer):
        self.exchanges.append({"request": copied(request), "answer": {**copied(answer), "body": lined(copied(answer["body"]))}})
        self.answers.append(answer)

    def mark(self):
        return len(self.exchanges)

    def forget(self, mark):
        """A poll that did not yet find what it waits for leaves nothing."""
        del self.exchanges[mark:], self.answers[mark:]

    def polled(self, mark):
        for exchange in self.exchanges[mark:]:
            exchange["request"]["until"] = True

    def name(self, value):
        """Gives each exchange its path in the value that the test returned."""
        numbers = {}
        for number, answer in enumerate(self.answers):
            for part in (answer, answer["headers"], answer["body"]):
                if isinstance(part, (dict, list)):
                    numbers[id(part)] = number

        def walk(held, path):
            if isinstance(held, (dict, list)) and id(held) in numbers:
                self.exchanges[numbers[id(held)]].setdefault("label", path.removesuffix(".headers").removesuffix(".body") or WHOLE)
            if isinstance(held, dict):
                for key, inner in held.items():
                    walk(inner, f"{path}.{key}" if path else str(key))
            elif isinstance(held, list):
                for index, inner in enumerate(held):
                    walk(inner, f"{path}[{index}]")

        walk(value, "")

    def requests(self):
        """The requests with references to earlier answers."""
        known, found = {}, []
        for number, exchange in enumerate(self.exchanges):
            found.append(shortened(referring(exchange["request"], known)))
            for keys, value in volatile(exchange["answer"]["body"]):
                known[value] = f"${{{number}#{pointer_of(keys)}}}"
        return found


def volatile(value, keys=()):
    if isinstance(value, dict):
        for key, held in value.items():
            if key in VOLATILE and isinstance(held, str) and held:
                yield (*keys, key), held
            else:
                yield from volatile(held, (*keys, key))
    elif isinstance(value, list):
        for index, held in enumerate(value):
            yield from volatile(held, (*keys, index))


def referring(request, known):
    def body(value, key=""):
        if isinstance(value, dict):
            return {name: body(held, name) for name, held in value.items()}
        if isinstance(value, list):
            return [body(held, key) for held in value]
        # A short value is the same thing only under the same kind of name.
        if isinstance(value, str) and value in known and (key in VOLATILE or len(value) > 16):
            return known[value]
        return value

    request = dict(request)
    request["path"] = OF_QUERY.sub(lambda part: f"{part[1]}={known.get(part[2], part[2])}", request["path"])
    for part in ("token", "body"):
        if part in request:
            request[part] = body(request[part])
    return request


# -- the file -----------------------------------------------------------------------------------------------------------


def pretty(value, indent=0):
    """JSON with sorted keys, in which whatever fits stands on one line."""
    line = json.dumps(value, ensure_ascii=False, sort_keys=True)
    if len(line) + indent <= WIDTH or not isinstance(value, (dict, list)) or not value:
        return line
    pad = " " * (indent + 1)
    if isinstance(value, dict):
        rows = [f"{pad}{json.dumps(key, ensure_ascii=False)}: {pretty(held, indent + 1)}" for key, held in sorted(value.items())]
        return "{\n" + ",\n".join(rows) + "\n" + " " * indent + "}"
    return "[\n" + ",\n".join(pad + pretty(held, indent + 1) for held in value) + "\n" + " " * indent + "]"


class Recording:
    """The folder of recordings of one suite: written anew, or compared with what is there."""

    def __init__(self, suite, checks):
        self.folder, self.checks, self.written, self.order = FOLDER / suite, checks, set(), []

    def keep(self, name, document):
        """Writes the file, or gives the lines that say why it is stale."""
        file = self.folder / f"{name.replace(' ', '_')}.json"
        self.written.add(file)
        self.order.append(file.stem)
        text = pretty(shortened(document)) + "\n"
        if not self.checks:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
            return []
        held = file.read_text() if file.exists() else ""
        if held == text:
            return []
        return [f"the recording {file.relative_to(FOLDER)} is stale:", *changes(json.loads(held or "{}"), json.loads(text))]

    def close(self):
        """The order of the tests, some of which build on earlier ones; recordings of tests that are no more."""
        left = sorted(set(self.folder.glob("*.json")) - self.written)
        order, text = self.folder.with_suffix(".json"), json.dumps(self.order, indent=1) + "\n"
        if not self.checks:
            order.write_text(text)
            for file in left:
                file.unlink()
            return []
        stale = [] if order.exists() and order.read_text() == text else [f"{order.name} has other tests, or another order"]
        return stale + [f"the recording {file.relative_to(FOLDER)} belongs to no test" for file in left]


def changes(old, new, limit=20):
    """The leaves that a recording holds and those that were answered now."""
    found = list(leaves_apart(old, new))
    lines = [f"  {pointer_of(keys)}\n    recorded {json.dumps(one, ensure_ascii=False)[:400]}\n    now      {json.dumps(other, ensure_ascii=False)[:400]}" for keys, one, other in found[:limit]]
    return lines + ([f"  and {len(found) - limit} more"] if len(found) > limit else [])


MISSING = "(nothing)"


def leaves_apart(one, other, keys=()):
    """Leaves that differ: their keys and both values."""
    if isinstance(one, dict) and isinstance(other, dict):
        for name in sorted(set(one) | set(other)):
            yield from leaves_apart(one.get(name, MISSING), other.get(name, MISSING), (*keys, name))
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for index, pair in enumerate(zip(one, other)):
            yield from leaves_apart(*pair, (*keys, index))
    elif one != other or type(one) is not type(other):
        yield keys, one, other


def adapt(answer, name, label):
    """What a recording leaves out of an answer of this test, as `adapted` of the rules lists it."""
    for rule in RULES["kubernetes"]["adapted"]:
        if name in rule["tests"] and (label or "") in rule.get("labels", [label or ""]):
            for pointer in rule.get("without", []):
                without(answer, pieces(pointer))
            for pointer in rule.get("sorted", []):
                in_order(answer, pieces(pointer))
    return answer


def chosen(value, piece):
    """The keys of a value that a piece of a pointer means; `*` means all."""
    if isinstance(value, dict):
        return list(value) if piece == "*" else [piece] if piece in value else []
    if isinstance(value, list):
        return list(range(len(value))) if piece == "*" else []
    return []


def without(value, path):
    for key in chosen(value, path[0]):
        if len(path) == 1:
            del value[key]
        else:
            without(value[key], path[1:])


def in_order(value, path):
    for key in chosen(value, path[0]):
        if len(path) > 1:
            in_order(value[key], path[1:])
        elif isinstance(value[key], list):
            value[key].sort(key=lambda held: json.dumps(held, sort_keys=True, ensure_ascii=False, separators=(",", ":")))
