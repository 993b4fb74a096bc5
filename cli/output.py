"""Prints the command line's output: lines, errors, colours, tables."""

import os
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from logs.redaction import masked, printable
from supervisor.control import Detail

COLOURS = {"red": 31, "green": 32, "yellow": 33, "blue": 34, "magenta": 35, "cyan": 36, "grey": 90}
PREFIX_COLOURS = ("cyan", "yellow", "green", "magenta", "blue")
# Stands for Escape in coloured text until it is printed. Text from outside, such as a request, a
# log or a response, cannot contain it, and Escape itself is never printed.
ESCAPE = secrets.token_hex(8)
STATE_COLOURS = {"running": "green", "starting": "yellow", "crashed": "red", "failed": "red"}


class CommandError(Exception):
    """A command failed; the text says why and what to do."""


def coloured(stream: TextIO) -> bool:
    """Returns whether to use colours there."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def paint(text: str, colour: str, stream: TextIO | None = None) -> str:
    """Colours a text for one of the functions below, if the stream shows colours."""
    if not coloured(stream or sys.stdout):
        return text
    return f"{ESCAPE}[{COLOURS[colour]}m{text}{ESCAPE}[0m"


def print_line(text: str = "") -> None:
    """Prints a line at once, also through a pipe."""
    print(_safe(text), flush=True)


def reprint_line(text: str) -> None:
    """Replaces the last line on a terminal; elsewhere prints a new one."""
    if coloured(sys.stdout):
        print(f"\r{_safe(text)}", end="", flush=True)
    else:
        print_line(text)


def print_error(text: str) -> None:
    """Prints an error message with its secrets masked."""
    print(_safe(paint(masked(text), "red", sys.stderr)), file=sys.stderr, flush=True)


def _safe(text: str) -> str:
    """Escapes every terminal control character except our colours."""
    return printable(text).replace(ESCAPE, "\x1b")


def typed_path(path: str) -> Path:
    """Resolves a path against the user's folder: ./koinx itself changes to the project's."""
    return Path(os.environ.get("PWD", "."), path)


def prefix(name: str, names: Sequence[str]) -> str:
    """Returns the prefix of each line of a process's output."""
    colour = PREFIX_COLOURS[names.index(name) % len(PREFIX_COLOURS)] if name in names else "grey"
    return paint(f"{name:<{max(map(len, names), default=0)}} |", colour)


def table(processes: Sequence[Detail]) -> list[str]:
    """Formats one line per process, below a line of headings."""
    rows = [("NAME", "STATE", "READY", "PID", "UPTIME", "RESTARTS", "CPU", "MEMORY", "URL")]
    rows += [
        (
            process["name"],
            process["state"],
            "yes" if process["ready"] else "no",
            _or_dash(process["pid"]),
            _duration(process["uptime_s"]),
            str(process["restarts"]),
            "-" if process["cpu_percent"] is None else f"{process['cpu_percent']:.1f} %",
            "-" if process["rss_bytes"] is None else f"{process['rss_bytes'] / 2**20:.0f} MB",
            _or_dash(process["url"]),
        )
        for process in processes
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        if row[1] in STATE_COLOURS:
            cells[1] = paint(cells[1], STATE_COLOURS[row[1]])
        lines.append("  ".join(cells).rstrip())
    return lines


def _or_dash(value: object) -> str:
    return "-" if value is None else str(value)


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
