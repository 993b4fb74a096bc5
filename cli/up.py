"""`./koinx up` and `down`: starts everything, shows the progress, stays with it."""

import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from types import FrameType

from api_client.client import ApiError, Client, Update
from cli import context, preflight
from cli.logs import follow
from cli.output import paint, print_error, print_line
from dash_ui.auth.login_link import STARTUP_LINK_LIFETIME, create_link
from dash_ui.components.format import age
from logs.redaction import plain
from settings import Settings
from settings.disk_space import Room
from supervisor import process_plan
from supervisor.control import Detail, Overview, Processes
from supervisor.process import describe_exit

START_TIMEOUT = 60.0  # seconds until all must be ready
FIRST_UPDATE_TIMEOUT = 10.0
QUIET_LIMIT = 5.0  # seconds without news after which the output names what is not ready
LAST_LINES = 12


class Interrupted(BaseException):
    """A signal asks the command to end."""


def up(settings: Settings, processes: Processes, *, detach: bool, switch: bool = False) -> int:
    """Starts what is not running with these settings; returns the exit code.

    Leaves the running market or currency only with `switch`.
    """
    conflict = None if switch else preflight.other_market(settings, processes)
    if problems := [conflict] if conflict else preflight.problems(settings, processes):
        for problem in problems:
            print_error(problem)
        return 1
    started = time.monotonic()
    try:
        if not detach:
            _handle_signals()
        serial = processes.up(settings)
        ready = await_ready(processes, serial, process_plan.names(settings), START_TIMEOUT)
        if ready:
            elapsed = time.monotonic() - started
            print_line(f"all ready after {elapsed:.1f} s")
            _print_addresses(settings, processes)
            remaining = START_TIMEOUT - elapsed if detach else FIRST_UPDATE_TIMEOUT
            _print_first_update(settings, processes, min(FIRST_UPDATE_TIMEOUT, remaining))
        if detach:
            return 0 if ready else 1
        follow(processes, names=["prepare", *process_plan.names(settings)], keep=True)
    except Interrupted:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        down(processes)
    return 0


def down(processes: Processes) -> None:
    """Stops everything."""
    running = [process["name"] for process in processes.overview().processes if process["pid"]]
    if not running and not processes.supervised():
        print_line("nothing is running")
        processes.down()
        return
    started = time.monotonic()
    print_line(f"stopping {', '.join(running) or 'the supervisor'}")
    processes.down()
    print_line(f"all stopped after {time.monotonic() - started:.1f} s")


def await_ready(processes: Processes, serial: int, names: Sequence[str], timeout: float) -> bool:
    """Waits until all of `names` are ready, and reports each; returns False if one fails."""
    started = last_news = time.monotonic()
    reported: set[str] = set()
    overview: Overview | None = None
    prepare_crashed = False
    for overview in processes.wait(serial, timeout):
        for process in overview.processes:
            if process["ready"] and process["name"] in names and process["name"] not in reported:
                reported.add(process["name"])
                last_news = time.monotonic()
                print_line(f"  {process['name']:<10} ready after {last_news - started:.1f} s")
        if reported.issuperset(names):
            return True
        if overview.problem:
            print_error(overview.problem)
            return False
        prepare = overview.prepare
        shown = [*overview.processes, *([prepare] if prepare else [])]
        if failed := [process for process in shown if process["state"] == "failed"]:
            for process in failed:
                _print_failure(processes, process)
            return False
        if prepare and prepare["state"] == "crashed" and not prepare_crashed:
            prepare_crashed = True
            _print_failure(processes, prepare)
        if time.monotonic() - last_news > QUIET_LIMIT:
            last_news = time.monotonic()
            _print_late(processes, overview, names)
    if overview is None:
        print_error(
            f"the supervisor did not answer within {timeout:.0f} s: see ./koinx logs supervisor"
        )
        return False
    for process in overview.processes:
        if process["name"] in names and not process["ready"]:
            _print_failure(processes, process)
    return False


def _print_failure(processes: Processes, process: Detail) -> None:
    """Prints the state of a process that is not ready, with its last log lines."""
    name, state, code = process["name"], process["state"], process["exit_code"]
    if state in ("starting", "running"):
        state_text = "not ready"
    else:
        state_text = "failed: gave up after repeated crashes" if state == "failed" else state
    with_code = f" ({describe_exit(code)})" if code is not None else ""
    print_error(f"{name}: {state_text}{with_code}; last log lines:")
    for line in processes.last_lines(name, LAST_LINES) or ["(none)"]:
        print_error(f"  {line}")


def _print_late(processes: Processes, overview: Overview, names: Sequence[str]) -> None:
    late = [p["name"] for p in overview.processes if p["name"] in names and not p["ready"]]
    print_line(f"  waiting for {', '.join(late)}")
    settings = processes.settings()
    if settings and (short := Room(settings).report()):
        print_error(f"  {short}")


def print_link(url: str, processes: Processes, lifetime: timedelta) -> None:
    """Prints a new link to the dashboard at `url`, or why there is none.

    The link signs in whoever reads it. Output that goes to no terminal is mostly stored, as in a
    log, so it gets only the address.
    """
    if not sys.stdout.isatty():
        print_line(f"dashboard  {url}  (to sign in: ./koinx url dashboard)")
        return
    try:
        link = create_link(url, processes.state_dir, lifetime)
    except OSError as error:
        print_error(f"cannot create a link to the dashboard: {plain(error)}")
        return
    valid = age(lifetime.total_seconds())
    print_line(
        f"dashboard  {paint(link, 'cyan')}  (works once, for {valid}; ./koinx status: a new one)"
    )


def _print_addresses(settings: Settings, processes: Processes) -> None:
    dashboard = process_plan.local_url(settings.dash_host, settings.dash_port)
    print_link(dashboard, processes, STARTUP_LINK_LIFETIME)
    api = process_plan.local_url(settings.api_host, settings.api_port)
    print_line(f"API        {paint(api, 'cyan')}")
    print_line(f"explorer   {paint(api + '/docs', 'cyan')}")


def _print_first_update(settings: Settings, processes: Processes, timeout: float) -> None:
    key = context.in_force(processes).api_key
    api = process_plan.local_url(settings.api_host, settings.api_port)
    client = Client(api, timeout=2, api_key=key.get_secret_value() if key else None)
    update = first_update(client, timeout)
    if update is None:
        print_line("no update yet: the next one starts on schedule")
    elif update.state == "done":
        print_line(f"first update: {(update.counts or {}).get('stored', 'no')} quotes stored")
    else:
        print_error(f"first update {update.state}: {update.error or 'no reason given'}")
        if settings.market == "live":
            print_line("No internet? ./koinx up --demo uses simulated prices")


def first_update(client: Client, timeout: float) -> Update | None:
    """Returns the newest update once it has ended; None if none does within `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        with suppress(ApiError):  # the next attempt may succeed
            newest = client.last_update()
            if newest and newest.finished_at:
                return newest
        time.sleep(0.2)
    return None


def _handle_signals() -> None:
    def interrupt(_number: int, _frame: FrameType | None) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        raise Interrupted

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
