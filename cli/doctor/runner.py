"""`./koinx doctor`: runs all checks in parallel, within a fixed time whatever hangs."""

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict

import settings as project
from cli import context
from cli.doctor import installation, machine, servers, source
from cli.doctor import processes as running
from cli.doctor.finding import Check, Finding, problem
from cli.output import paint, print_line
from logs.redaction import plain
from settings import Settings, SettingsError
from supervisor.control import Processes

TIMEOUT = 12.0  # seconds for all checks; each waits 2 to 7 s for a server that hangs
COLOURS = {"ok": "green", "note": "yellow", "idle": "grey", "fault": "red"}
SET_BY_UP = ("market", "simulator_replay")  # up --demo, up --replay


def doctor(processes: Processes, *, as_json: bool) -> int:
    """Lists problems and how to fix them; returns 1 if there are any."""
    findings = examine(processes)
    faults = sum(finding.state == "fault" for finding in findings)
    if as_json:
        print_line(
            json.dumps({"faults": faults, "findings": [asdict(one) for one in findings]}, indent=2)
        )
    else:
        for finding in findings:
            print_line(line(finding))
        print_line("No problems found" if not faults else f"{faults} problem{'s' * (faults > 1)}")
    return 1 if faults else 0


def line(finding: Finding) -> str:
    """Formats a finding as one line; a fault is followed by its fix."""
    label = "error" if finding.state == "fault" else finding.state
    state = paint(f"{label:<5}", COLOURS[finding.state])
    cure = f" → {finding.cure}" if finding.cure else ""
    return f"{state}  {finding.check:<9}  {finding.text}{cure}"


def examine(processes: Processes) -> list[Finding]:
    """Runs all checks; returns their findings in the order of display."""
    overview = processes.overview()
    runs = any(process["pid"] for process in overview.processes)
    found = [*installation.python(), *_run(installation.packages)]
    configured: Settings | None = None
    try:
        configured = project.load(running=False)
        found.append(Finding("settings", "ok", "all are valid"))
    except SettingsError as error:
        found += [_wrong(line) for line in error.errors]
    settings = context.in_force(processes) if runs else configured
    found += machine.home(settings, processes.state_dir, runs=runs)
    if settings is None:
        text = "ports, servers and source were not checked, because the settings are invalid"
        return [*found, Finding("settings", "idle", text)]
    found += machine.addresses(settings, overview.processes)
    started = processes.settings() if runs else None
    if configured and started:
        found += _changes(configured, started)
    # The running processes were given the addresses of all servers, embedded ones included.
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
        checks.append(lambda: [Finding("processes", "idle", "none is running: ./koinx up")])
    return [*found, *_in_parallel(checks)]


def _in_parallel(checks: list[Check]) -> Iterator[Finding]:
    """Yields the findings in the order of the checks; a fault for a check that takes too long."""
    results: list[list[Finding] | None] = [None] * len(checks)

    def run(place: int) -> None:
        results[place] = _run(checks[place])

    threads = [
        threading.Thread(target=run, args=(place,), daemon=True) for place in range(len(checks))
    ]
    for thread in threads:
        thread.start()
    end = time.monotonic() + TIMEOUT
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    for result in results:
        late = problem(
            "doctor", f"a check took longer than {TIMEOUT:.0f} s", "run the command again"
        )
        yield from [late] if result is None else result


def _run(check: Check) -> list[Finding]:
    try:
        return check()
    except Exception as error:  # one unexpected error must not hide the other findings
        text = f"a check failed: {type(error).__name__}: {plain(error)}"
        return [problem("doctor", text, "the other lines are still valid; please report this one")]


def _wrong(line: str) -> Finding:
    return problem("settings", line, "correct it in .env or in the environment; see .env.example")


def _changes(configured: Settings, started: Settings) -> list[Finding]:
    """Reports the settings that have changed since the processes were started."""
    names = [
        name.upper()
        for name in Settings.model_fields
        if name not in SET_BY_UP and getattr(started, name) != getattr(configured, name)
    ]
    if not names:
        return []
    text = f"{', '.join(names)} differ from those in force: run ./koinx up to apply them"
    return [Finding("settings", "note", text)]
