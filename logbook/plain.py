"""A line for people: `time level event key=value`."""

import json
from collections.abc import Mapping
from typing import Any

FIRST = ("time", "level", "event")
UNSHOWN = ("process", "pid", "exception")  # a prefix says the first, the last has its own lines


def for_people(event: Mapping[str, Any]) -> str:
    """`time level event key=value`; a traceback follows in lines of its own."""
    fields = [
        f"{key}={_shown(value)}" for key, value in event.items() if key not in (*FIRST, *UNSHOWN)
    ]
    head = f"{event.get('time', '')} {event.get('level', ''):<7} {event.get('event', '')}"
    text = "  ".join([head, " ".join(fields)]) if fields else head
    return "\n".join([text, str(event["exception"])]) if event.get("exception") else text


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return json.dumps(text, ensure_ascii=False) if not text or set(text) & set(' "=\n') else text
