"""The rules of `rules.json`, by which an answer is made comparable. The Rust replay (`answers.rs`, `aws.rs`) reads the same file."""

import json
import re
from pathlib import Path

RULES = json.loads(Path(__file__).with_name("rules.json").read_text())


def replacements(pairs):
    """Patterns with what takes their place, in the words of `re`: `${1}` of the file is `\\g<1>` here."""
    return [(re.compile(pattern), re.sub(r"\$\{(\d)\}", r"\\g<\1>", text)) for pattern, text in pairs]


def replaced(text, pairs):
    for pattern, replacement in pairs:
        text = pattern.sub(replacement, text)
    return text


def pieces(pointer):
    return [piece.replace("~1", "/").replace("~0", "~") for piece in pointer.split("/")[1:]]


def pointer_of(keys):
    return "".join("/" + str(key).replace("~", "~0").replace("/", "~1") for key in keys)
