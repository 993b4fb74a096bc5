"""Makes all checks side by side, within a time that is the same whatever hangs."""

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict

import settings as project
from cli import context
from cli.doctor import installation, machine, servers, source
from cli.doctor import processes as running
from cli.doctor.finding import Check, Finding, fault
from cli.output import paint, say
from logs.redaction import plain
from settings import Settings, SettingsError
from supervisor.control import Processes

LONGEST = 12.0  # seconds for all together; each waits 2 to 7 s for what does not answer
COLOURS = {"ok": "green", "note": "yellow", "idle": "grey", "fault": "red"}
SET_BY_THE_COMMAND = ("market", "simulator_replay")  # up --demo, up --replay


def doctor(processes: Processes, *, as_json: bool) -> int:
    """Look for faults, and tell them; the exit code is 1 if there is any."""
    findings = examine(processes)
    faults = sum(finding.state == "fault" for finding in findings)
    if as_json:
        say(json.dumps({"faults": faults, "findings": [asdict(one) for one in findings]}, indent=2))
    else:
        for finding in findings:
            say(line(finding))
        say("no fault" if not faults else f"{faults} fault{'s' * (faults > 1)}")
    return 1 if faults else 0


def line(finding: Finding) -> str:
    """A finding for a person; a fault with its cure behind it."""
    state = paint(f"{finding.state:<5}", COLOURS[finding.state])
    cure = f" → {finding.cure}" if finding.cure else ""
    return f"{state}  {finding.check:<9}  {finding.text}{cure}"


def examine(processes: Processes) -> list[Finding]:
    """Everything that was found, in the order in which it is told."""
    overview = processes.overview()
    runs = any(process["pid"] for process in overview.processes)
    found = [*installation.python(), *_guarded(installation.packages)]
    configured: Settings | None = None
    try:
        configured = project.load(running=False)
        found.append(Finding("settings", "ok", "each is right, and they go together"))
    except SettingsError as error:
        found += [_wrong(line) for line in error.errors]
    settings = context.in_force(processes) if runs else configured
    found += machine.home(settings, processes.state_dir, runs=runs)
    if settings is None:
        text = "ports, servers and source were not looked at: the settings do not say which"
        return [*found, Finding("settings", "idle", text)]
    found += machine.addresses(settings, overview.processes)
    started = processes.settings() if runs else None
    if configured and started:
        found += _changes(configured, started)
    # Embedded are those that no setting names, and what runs was told the addresses of all.
    known = started or settings
    checks: list[Check] = servers.checks(known, settings, overview, runs=runs)
    if settings.market == "live" or runs:
        checks.append(lambda: source.source(settings))
        if settings.second_source and settings.market == "live":
            checks.append(lambda: source.second(settings))
        if settings.redis_url:
            redis_url = settings.server("redis_url")
            checks.append(lambda: source.calls(settings, redis_url))
    if runs:
        checks.append(lambda: running.states(processes, overview, known))
        checks.append(lambda: running.last_update(settings))
    else:
        checks.append(lambda: [Finding("processes", "idle", "none runs: ./koinx up starts them")])
    return [*found, *_side_by_side(checks)]


def _side_by_side(checks: list[Check]) -> Iterator[Finding]:
    """What each found, in the order of the checks; a fault for one that does not end in time."""
    results: list[list[Finding] | None] = [None] * len(checks)

    def run(place: int) -> None:
        results[place] = _guarded(checks[place])

    threads = [
        threading.Thread(target=run, args=(place,), daemon=True) for place in range(len(checks))
    ]
    for thread in threads:
        thread.start()
    end = time.monotonic() + LONGEST
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    for result in results:
        late = fault(
            "doctor", f"a check did not end within {LONGEST:.0f} s", "run the command again"
        )
        yield from [late] if result is None else result


def _guarded(check: Check) -> list[Finding]:
    try:
        return check()
    except Exception as error:  # what nobody thought of must not hide what the others found
        text = f"a check failed: {type(error).__name__}: {plain(error)}"
        return [fault("doctor", text, "this is a fault of its own; the other lines hold")]


def _wrong(line: str) -> Finding:
    return fault("settings", line, "set it in .env or in the environment; .env.example lists all")


def _changes(configured: Settings, started: Settings) -> list[Finding]:
    """The settings that were changed since what runs was started."""
    names = [
        name.upper()
        for name in Settings.model_fields
        if name not in SET_BY_THE_COMMAND and getattr(started, name) != getattr(configured, name)
    ]
    if not names:
        return []
    text = f"{', '.join(names)} differ from what runs: ./koinx up takes them over"
    return [Finding("settings", "note", text)]
