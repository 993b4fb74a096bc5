"""A line for people: `time level event key=value`."""

import json
import re
from collections.abc import Mapping
from typing import Any

FIRST = ("time", "level", "event")
UNSHOWN = ("process", "pid", "exception")  # a prefix says the first, the last has its own lines
# What a terminal obeys, or what makes a text look like another: control characters but for the
# tabulator and the line's end, marks of the writing's direction, line separators, surrogates, tags.
UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)


def printable(text: str) -> str:
    r"""The text with every character that a terminal may obey written as JSON does: `\u001b`."""
    return UNPRINTABLE.sub(lambda found: json.dumps(found[0])[1:-1], text)


def for_people(event: Mapping[str, Any]) -> str:
    """`time level event key=value`; a traceback follows in lines of its own."""
    fields = [
        f"{key}={_shown(value)}" for key, value in event.items() if key not in (*FIRST, *UNSHOWN)
    ]
    head = f"{event.get('time', '')} {event.get('level', ''):<7} {event.get('event', '')}"
    text = "  ".join([head, " ".join(fields)]) if fields else head
    text = text.replace("\n", "\\n")  # what somebody sent must not look like a line of ours
    return printable("\n".join([text, str(event["exception"])]) if event.get("exception") else text)


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return json.dumps(text, ensure_ascii=False) if not text or set(text) & set(' "=\n') else text
