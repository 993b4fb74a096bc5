"""What a process's lines look like: JSON, or plain text on a terminal."""

import json
import logging
import os

from structlog.contextvars import merge_contextvars
from structlog.processors import TimeStamper, format_exc_info
from structlog.stdlib import ExtraAdder, ProcessorFormatter, add_log_level, add_logger_name
from structlog.typing import EventDict, WrappedLogger

from logs.plain_text import FIRST, for_people, printable
from logs.redaction import masked


def formatter(process: str, *, plain: bool = False) -> logging.Formatter:
    """Formats every record of a process, whoever logs it; known secrets are masked in all of it.

    A record's own fields go before those of what the thread is about.
    """

    def identify(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        return {**event, "process": process, "pid": os.getpid()}

    def written(_: WrappedLogger, __: str, event: EventDict) -> str:
        return printable(masked(for_people(event) if plain else _json(event)))

    return ProcessorFormatter(
        foreign_pre_chain=[add_log_level, add_logger_name, ExtraAdder(), merge_contextvars],
        processors=[
            ProcessorFormatter.remove_processors_meta,
            TimeStamper(fmt="iso", utc=True, key="time"),
            identify,
            format_exc_info,
            written,
        ],
    )


def _json(event: EventDict) -> str:
    rest = {key: value for key, value in event.items() if key not in FIRST}
    return json.dumps(
        {key: event.get(key) for key in FIRST} | rest, ensure_ascii=False, default=str
    )
