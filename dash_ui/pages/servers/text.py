"""What the Servers page says about processes, updates and repairs, in sentences."""

import signal
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

from api_client.updates import Readiness, Repairs, Run, seconds, total
from dash_ui.components import format as fmt
from supervisor.control import Detail, Overview

ANOTHERS = (
    "These processes are another's: no ./koinx up runs in this dashboard's folder. Start and stop "
    "them where they were started, as with docker compose or systemctl."
)
UNSUPERVISED = (
    "No supervisor runs, so nothing that ends is started again. Start all brings one back."
)
SILENT_AFTER = 5.0
LONGEST = 300

STATES = {
    "starting": "◌ starting",
    "stopped": "○ stopped",
    "crashed": "↻ crashed, will be started again",
    "failed": "✖ failed, given up after repeated crashes",
}
RUNS = {
    "done": "● done",
    "failed": "✖ failed",
    "missed": "○ missed",
    "received": "◌ received",
    "running": "◐ running",
}
NO_BREAK = "\N{NO-BREAK SPACE}"
SIZES = ((1024**3, "GB"), (1024**2, "MB"), (1024, "kB"))


def state(process: Detail) -> str:
    """A process's state by sign and word, and whether it answers."""
    if process["state"] == "running":
        return "● running, ready" if process["ready"] else "◐ running, not ready"
    return STATES[process["state"]]


def figures(process: Detail) -> str:
    """Its uptime, restarts, processor time and memory in one line."""
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
    """Bytes to read, as "1.2 GB", "9.5 MB", "131 MB", with a space that does not break."""
    if count is None:
        return fmt.MISSING
    for bytes_, unit in SIZES:
        if count >= bytes_:
            whole = count / bytes_
            return f"{whole:.0f}{NO_BREAK}{unit}" if whole >= 10 else f"{whole:.1f}{NO_BREAK}{unit}"
    return f"{count} bytes"


def end(code: int | None) -> str:
    """How a process ended, by its exit code; a signal is named."""
    if code is None:
        return "Its exit code is not known"
    if code < 0:
        with suppress(ValueError):
            return f"It was ended by {signal.Signals(-code).name} (exit code {code})"
    return f"Its exit code is {code}"


def trouble(process: Detail, lines: Sequence[str]) -> str:
    """What is wrong with it: how it ended, with its last words; empty where nothing is."""
    if process["state"] not in ("crashed", "failed"):
        return ""
    said = next((line.strip() for line in reversed(lines) if line.strip()), "")
    last = f"Its last words: {said[:LONGEST]}" if said else "It wrote nothing."
    return f"{end(process['exit_code'])}. {last}"


def concern(overview: Overview, *, supervised: bool, silence: float | None) -> str:
    """What is to be known before the states are trusted; empty where all is well.

    `silence`: seconds since the supervisor last wrote them.
    """
    if overview.problem:
        return f"The processes cannot be started: {overview.problem}"
    if not supervised:
        return UNSUPERVISED
    if silence is not None and silence > SILENT_AFTER:
        return (
            f"The supervisor has written nothing for {fmt.age(silence)}: what you see may be old. "
            "./koinx logs supervisor says more."
        )
    return ""


def count(processes: Sequence[Detail]) -> str:
    """How many of the processes are ready."""
    ready = sum(process["ready"] for process in processes)
    return f"{ready} of {len(processes)} ready"


def run(one: Run) -> str:
    """An update in a line: its state, when it came, from where, what it stored."""
    parts = [RUNS.get(one.state, one.state), fmt.moment(one.received_at), one.trigger]
    if one.state == "running":
        parts.append(f"{one.stage}, {one.progress:.0%}")
    if (took := total(one.hops)) is not None and one.finished_at:
        parts.append(f"took {seconds(took)}")
    if one.state == "done":
        parts.append(f"{one.counts.get('stored', 0):,} stored")
    if one.error:
        parts.append(one.error)
    return " · ".join(parts)


def due(readiness: Readiness, now: datetime) -> str:
    """When the next update comes, and what it will want then."""
    wait = fmt.age((readiness.next_slot - now).total_seconds())
    said = f"The next update is due at {fmt.moment(readiness.next_slot)}, in {wait}."
    if readiness.pending_events:
        said += f" Events that nobody has taken yet: {readiness.pending_events:,}."
    if readiness.faults:
        why = "; ".join(f"{name}: {reason}" for name, reason in readiness.faults.items())
        said += f" Not ready for it: {why}."
    return said


def repairs(found: Repairs) -> str:
    """How far the mending of the history is."""
    if found.progress is None:
        return "No repairs yet: no stretch of the history was found missing."
    total_ = found.waiting + found.running + found.done + found.failed
    return (
        f"{found.done + found.failed:,} of {fmt.counted(total_, 'repair')} ended "
        f"({int(found.progress * 100)} %): {found.done:,} done, {found.failed:,} failed, "
        f"{found.running:,} running, {found.waiting:,} waiting."
    )
