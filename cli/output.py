"""How the command line looks: colours, tables, one line for each happening."""

import os
import secrets
import sys
from collections.abc import Sequence
from typing import TextIO

from logs.redaction import masked, printable
from supervisor.control import Detail

COLOURS = {"red": 31, "green": 32, "yellow": 33, "blue": 34, "magenta": 35, "cyan": 36, "grey": 90}
BY_NAME = ("cyan", "yellow", "green", "magenta", "blue")
# Stands for Escape in what we paint, until it is written: nothing that comes from elsewhere, as a
# request, a log or an answer, holds it, and Escape itself is never let through.
ESCAPE = secrets.token_hex(8)
BY_STATE = {"running": "green", "starting": "yellow", "crashed": "red", "failed": "red"}


def coloured(stream: TextIO) -> bool:
    """Whether colours are wanted there."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def paint(text: str, colour: str, stream: TextIO | None = None) -> str:
    """The text in a colour, where colours are wanted; for `say`, `complain` and `say_again`."""
    if not coloured(stream or sys.stdout):
        return text
    return f"{ESCAPE}[{COLOURS[colour]}m{text}{ESCAPE}[0m"


def say(text: str = "") -> None:
    """A line that is seen at once, also through a pipe."""
    print(_safe(text), flush=True)


def say_again(text: str) -> None:
    """A line in the place of the last one, on a terminal."""
    if coloured(sys.stdout):
        print(f"\r{_safe(text)}", end="", flush=True)
    else:
        say(text)


def complain(text: str) -> None:
    """A line on what went wrong; it shows no secret."""
    print(_safe(paint(masked(text), "red", sys.stderr)), file=sys.stderr, flush=True)


def _safe(text: str) -> str:
    """What a terminal may be given: it obeys our colours, and nothing else."""
    return printable(text).replace(ESCAPE, "\x1b")


def prefix(name: str, names: Sequence[str]) -> str:
    """What stands before each line of a process's output."""
    colour = BY_NAME[names.index(name) % len(BY_NAME)] if name in names else "grey"
    return paint(f"{name:<{max(map(len, names), default=0)}} |", colour)


def table(processes: Sequence[Detail]) -> list[str]:
    """One line a process, below a line of headings."""
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
        if row[1] in BY_STATE:
            cells[1] = paint(cells[1], BY_STATE[row[1]])
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
