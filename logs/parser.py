"""A line of a log as people read it."""

import json
from typing import Any

from logs.plain_text import for_people, printable

MONGOD_LEVELS = {"F": "critical", "E": "error", "W": "warning", "I": "info"}


def readable(line: str) -> list[str]:
    """A line that is JSON, as ours and mongod's are, as `time level event key=value`.

    A traceback brings lines of its own. Any other line stays as it is,
    but for what a terminal would obey.
    """
    line = line.rstrip("\r")
    if line.startswith('{"t'):
        try:
            found = json.loads(line)
            event = found if "event" in found else _of_mongod(found)
            return for_people(event).split("\n")
        except (ValueError, TypeError, KeyError, RecursionError):
            pass  # cut short, or another's
    return [printable(line)]


def _of_mongod(found: dict[str, Any]) -> dict[str, Any]:
    return {
        "time": found["t"]["$date"],
        "level": MONGOD_LEVELS.get(found["s"], "debug"),
        "event": found["msg"],
        **found.get("attr", {}),
    }
