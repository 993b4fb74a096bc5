"""Formats log lines: JSON for files, plain text for terminals and for `./koinx logs`."""

import json
import logging
import os
from collections.abc import Mapping, MutableMapping
from typing import Any

from logs.redaction import masked, printable

FIRST = ("time", "level", "event")
# The prefix of each line names the process; a traceback gets lines of its own.
NOT_IN_FIELDS = (*FIRST, "process", "pid", "exception")
MONGOD_LEVELS = {"F": "critical", "E": "error", "W": "warning", "I": "info"}


def plain_line(event: Mapping[str, Any]) -> str:
    """Formats an event as `time level event key=value`; a traceback follows on its own lines."""
    fields = [f"{key}={_quoted(value)}" for key, value in event.items() if key not in NOT_IN_FIELDS]
    head = f"{event.get('time', '')} {event.get('level', ''):<7} {event.get('event', '')}"
    text = "  ".join([head, " ".join(fields)]) if fields else head
    text = text.replace("\n", "\\n")  # text from outside must not look like a log line of ours
    return printable("\n".join([text, str(event["exception"])]) if event.get("exception") else text)


def readable(line: str) -> list[str]:
    """Turns one line of a log file into the lines to show.

    A line of JSON, from KoinX or mongod, becomes plain text. Any other line stays as it is, with
    control characters escaped.
    """
    line = line.rstrip("\r")
    if line.startswith('{"t'):
        try:
            fields = json.loads(line)
            return plain_line(fields if "event" in fields else _mongod_event(fields)).split("\n")
        except (ValueError, TypeError, KeyError, RecursionError):
            pass  # truncated, or written by another program
    return [printable(line)]


def formatter(process: str, *, plain: bool = False) -> logging.Formatter:
    """Returns the formatter for all records of a process; it masks known secrets.

    A record's own fields come before those of the thread's context.
    """
    # Imported here: `./koinx status` formats no records and saves the 0.1 s that structlog takes.
    from structlog.contextvars import merge_contextvars  # noqa: PLC0415
    from structlog.processors import TimeStamper, format_exc_info  # noqa: PLC0415
    from structlog.stdlib import (  # noqa: PLC0415
        ExtraAdder,
        ProcessorFormatter,
        add_log_level,
        add_logger_name,
    )

    def render(_: Any, __: str, event: MutableMapping[str, Any]) -> str:
        event = {**event, "process": process, "pid": os.getpid()}
        return printable(masked(plain_line(event) if plain else _json_line(event)))

    return ProcessorFormatter(
        foreign_pre_chain=[add_log_level, add_logger_name, ExtraAdder(), merge_contextvars],
        processors=[
            ProcessorFormatter.remove_processors_meta,
            TimeStamper(fmt="iso", utc=True, key="time"),
            format_exc_info,
            render,
        ],
    )


def _json_line(event: Mapping[str, Any]) -> str:
    rest = {key: value for key, value in event.items() if key not in FIRST}
    return json.dumps(
        {key: event.get(key) for key in FIRST} | rest, ensure_ascii=False, default=str
    )


def _quoted(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return json.dumps(text, ensure_ascii=False) if not text or set(text) & set(' "=\n') else text


def _mongod_event(fields: dict[str, Any]) -> dict[str, Any]:
    return {
        "time": fields["t"]["$date"],
        "level": MONGOD_LEVELS.get(fields["s"], "debug"),
        "event": fields["msg"],
        **fields.get("attr", {}),
    }
