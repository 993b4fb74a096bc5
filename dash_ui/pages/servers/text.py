"""The Servers page's sentences about processes, updates and repairs."""

import signal
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

from api_client.client import Update
from api_client.updates import Readiness, Repairs, seconds, total
from dash_ui.components import format as fmt
from supervisor.control import Detail, Overview

NOT_OURS = (
    "KoinX did not start any process from this folder, so this page shows none. Use the tool that "
    "started them, such as docker compose or systemctl."
)
UNSUPERVISED = (
    "The supervisor is not running, so crashed processes stay down. Press Start all to restart it."
)
SILENT_AFTER_SECONDS = 5.0
MAX_LINE = 300

STATES = {
    "starting": "◌ starting",
    "stopped": "○ stopped",
    "crashed": "↻ crashed, restarting",
    "failed": "✖ failed: gave up after repeated crashes",
}
UPDATES = {
    "done": "● done",
    "failed": "✖ failed",
    "missed": "○ missed",
    "received": "◌ received",
    "running": "◐ running",
}
NO_BREAK = "\N{NO-BREAK SPACE}"
SIZES = ((1024**3, "GB"), (1024**2, "MB"), (1024, "kB"))


def state(process: Detail) -> str:
    """A process's state with its sign, and whether it is ready."""
    if process["state"] == "running":
        return "● running, ready" if process["ready"] else "◐ running, not ready"
    return STATES[process["state"]]


def figures(process: Detail) -> str:
    """A process's uptime, restarts, CPU and memory in one line."""
    cpu = fmt.MISSING if process["cpu_percent"] is None else f"{process['cpu_percent']:.1f} %"
    return " · ".join(
        [
            f"up {fmt.age(process['uptime_s'])}",
            fmt.counted(process["restarts"], "restart"),
            f"CPU {cpu}",
            f"memory {size(process['rss_bytes'])}",
        ]
    )


def size(count: int | None) -> str:
    """A size: "1.2 GB", "9.5 MB", "131 MB", with a no-break space."""
    if count is None:
        return fmt.MISSING
    for factor, unit in SIZES:
        if count >= factor:
            places = 0 if count >= 10 * factor else 1
            return f"{count / factor:.{places}f}{NO_BREAK}{unit}"
    return f"{count} bytes"


def exit_reason(code: int | None) -> str:
    """How a process ended: by its exit code, or by a signal's name."""
    if code is None:
        return "Exit code unknown"
    if code < 0:
        with suppress(ValueError):
            return f"Killed by {signal.Signals(-code).name} (exit code {code})"
    return f"Exit code {code}"


def trouble(process: Detail, lines: Sequence[str]) -> str:
    """How a crashed process ended, with its last log line; empty for any other."""
    if process["state"] not in ("crashed", "failed"):
        return ""
    line = next((line.strip() for line in reversed(lines) if line.strip()), "")
    last = f"Last log line: {line[:MAX_LINE]}" if line else "The log is empty."
    return f"{exit_reason(process['exit_code'])}. {last}"


def concern(overview: Overview, *, supervised: bool, silence: float | None) -> str:
    """Why the states cannot be trusted; empty if they can.

    `silence`: seconds since the supervisor last wrote them.
    """
    if overview.problem:
        return f"Cannot start the processes: {overview.problem}"
    if not supervised:
        return UNSUPERVISED
    if silence is not None and silence > SILENT_AFTER_SECONDS:
        return (
            f"The supervisor has not reported for {fmt.age(silence)}: these states may be old. "
            "See ./koinx logs supervisor."
        )
    return ""


def count(processes: Sequence[Detail]) -> str:
    """How many of the processes are ready."""
    ready = sum(process["ready"] for process in processes)
    return f"{ready} of {len(processes)} ready"


def update(one: Update) -> str:
    """An update in one line: its state, time, trigger and result."""
    parts = [UPDATES.get(one.state, one.state), fmt.moment(one.received_at), one.trigger]
    if one.state == "running":
        parts.append(f"{one.stage}, {one.progress:.0%}")
    if (duration := total(one.hops)) is not None and one.finished_at:
        parts.append(f"took {seconds(duration)}")
    if one.state == "done" and one.counts:
        parts.append(f"{fmt.counted(one.counts.get('stored', 0), 'quote')} stored")
    if one.error:
        parts.append(one.error)
    return " · ".join(parts)


def due(readiness: Readiness, now: datetime) -> str:
    """When the next update is due, and what it is not ready for."""
    wait = fmt.age((readiness.next_slot - now).total_seconds())
    message = f"Next update at {fmt.moment(readiness.next_slot)}, in {wait}."
    if readiness.pending_events:
        message += f" {fmt.counted(readiness.pending_events, 'event')} waiting."
    if readiness.faults:
        why = "; ".join(f"{name}: {reason}" for name, reason in readiness.faults.items())
        message += f" Not ready: {why}."
    return message


def repairs(found: Repairs) -> str:
    """The progress of gap repair."""
    if found.progress is None:
        return "No repairs yet: no gaps found."
    count = found.waiting + found.running + found.done + found.failed
    return (
        f"{found.done + found.failed:,} of {fmt.counted(count, 'repair')} finished "
        f"({int(found.progress * 100)} %): {found.done:,} done, {found.failed:,} failed, "
        f"{found.running:,} running, {found.waiting:,} waiting."
    )
