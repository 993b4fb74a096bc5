"""`./koinx up`: start everything, say how it goes, stay with it."""

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
from cli.output import complain, paint, say
from dash_ui.auth.login_link import STARTUP_LINK_LIFETIME, create_link
from dash_ui.components.format import age
from logs.redaction import plain
from settings import Settings
from settings.disk_space import Room
from supervisor import process_plan
from supervisor.control import Detail, Overview, Processes
from supervisor.process import describe_exit

PATIENCE = 60.0  # seconds until all must be ready
FIRST_UPDATE = 10.0  # seconds that the first update is waited for
SILENCE = 5.0  # seconds without news after which it is said what is waited for
LAST_LINES = 12


class Interrupted(BaseException):
    """Somebody wants the command to end."""


def up(settings: Settings, processes: Processes, *, detach: bool, switch: bool = False) -> int:
    """Start what does not run, or not with these settings; the exit code.

    Another market or currency than the one that runs is started only to `switch` to it.
    """
    if not switch and (reason := preflight.other_market(settings, processes)):
        complain(reason)
        return 1
    if faults := preflight.complaints(settings, processes):
        for fault in faults:
            complain(fault)
        return 1
    started = time.monotonic()
    try:
        if not detach:
            _listen_to_signals()
        serial = processes.up(settings)
        in_order = await_ready(processes, serial, process_plan.names(settings), PATIENCE)
        if in_order:
            say(f"all ready after {time.monotonic() - started:.1f} s")
            _tell(
                settings,
                processes,
                PATIENCE - (time.monotonic() - started) if detach else FIRST_UPDATE,
            )
        if detach:
            return 0 if in_order else 1
        follow(processes, names=["prepare", *process_plan.names(settings)], keep=True)
    except Interrupted:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        down(processes)
    return 0


def down(processes: Processes) -> None:
    """Stop everything, and say so."""
    running = [process["name"] for process in processes.overview().processes if process["pid"]]
    if not running and not processes.supervised():
        say("nothing runs")
        processes.down()
        return
    started = time.monotonic()
    say(f"stopping {', '.join(running) or 'the supervisor'}")
    processes.down()
    say(f"all stopped after {time.monotonic() - started:.1f} s")


def await_ready(processes: Processes, serial: int, names: Sequence[str], patience: float) -> bool:
    """Wait until all of `names` are ready, telling of each; False when one will not be."""
    started = news = time.monotonic()
    told: set[str] = set()
    overview: Overview | None = None
    failures = 0
    for overview in processes.wait(serial, patience):
        for process in overview.processes:
            if process["ready"] and process["name"] in names and process["name"] not in told:
                told.add(process["name"])
                news = time.monotonic()
                say(f"  {process['name']:<10} ready after {news - started:.1f} s")
        if told.issuperset(names):
            return True
        if overview.problem:
            complain(overview.problem)
            return False
        if given_up := [p for p in _with_prepare(overview) if p["state"] == "failed"]:
            for process in given_up:
                tell_end(processes, process)
            return False
        if overview.prepare and overview.prepare["state"] == "crashed" and failures == 0:
            failures += 1
            tell_end(processes, overview.prepare)
        if time.monotonic() - news > SILENCE:
            news = time.monotonic()
            _tell_late(processes, overview, names)
    if overview is None:
        complain(f"the supervisor did not answer within {patience:.0f} s: ./koinx logs supervisor")
        return False
    for process in overview.processes:
        if process["name"] in names and not process["ready"]:
            tell_end(processes, process)
    return False


def tell_end(processes: Processes, process: Detail) -> None:
    """Say what state a process is in, with the last lines that it wrote."""
    name, code = process["name"], process["exit_code"]
    with_code = f" ({describe_exit(code)})" if code is not None else ""
    tried = "is not ready" if process["state"] in ("starting", "running") else process["state"]
    complain(f"{name}: {tried}{with_code}; its last lines:")
    for line in processes.last_lines(name, LAST_LINES) or ["(it wrote nothing)"]:
        complain(f"  {line}")


def _with_prepare(overview: Overview) -> list[Detail]:
    return [*overview.processes, *([overview.prepare] if overview.prepare else [])]


def _tell_late(processes: Processes, overview: Overview, names: Sequence[str]) -> None:
    late = [p["name"] for p in overview.processes if p["name"] in names and not p["ready"]]
    say(f"  waiting for {', '.join(late)}")
    settings = processes.settings()
    if settings and (short := Room(settings).report()):
        complain(f"  {short}")


def tell_link(url: str, processes: Processes, lasts: timedelta) -> None:
    """A new link to the dashboard at `url`, or why there is none.

    It lets in whoever reads it, and what is no terminal is mostly kept: a log, a build's output.
    """
    if not sys.stdout.isatty():
        say(f"dashboard  {url}  (opens with a link: ./koinx url dashboard)")
        return
    try:
        made = create_link(url, processes.state_dir, lasts)
    except OSError as error:
        complain(f"there is no link to the dashboard: {plain(error)}")
        return
    good_for = age(lasts.total_seconds())
    say(f"dashboard  {paint(made, 'cyan')}  (good once, for {good_for}; ./koinx status: a new one)")


def _tell(settings: Settings, processes: Processes, patience: float) -> None:
    api = process_plan.local_url(settings.api_host, settings.api_port)
    tell_link(
        process_plan.local_url(settings.dash_host, settings.dash_port),
        processes,
        STARTUP_LINK_LIFETIME,
    )
    say(f"API        {paint(api, 'cyan')}")
    say(f"explorer   {paint(api + '/docs', 'cyan')}")
    key = context.in_force(processes).api_key
    client = Client(api, timeout=2, api_key=key.get_secret_value() if key else None)
    outcome = first_update(client, min(FIRST_UPDATE, patience))
    if outcome is None:
        say("no update yet: the next one comes when it is due")
    elif outcome.state == "done":
        say(f"first update: {(outcome.counts or {}).get('stored', 'no')} quotes stored")
    else:
        complain(f"first update {outcome.state}: {outcome.error or 'no reason given'}")
        if settings.market == "live":
            say("No internet? ./koinx up --demo runs against a simulated market")


def first_update(client: Client, patience: float) -> Update | None:
    """The newest update, once it is over; None if there is none within `patience` seconds."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        with suppress(ApiError):  # it is asked again
            newest = client.last_update()
            if newest and newest.finished_at:
                return newest
        time.sleep(0.2)
    return None


def _listen_to_signals() -> None:
    def interrupt(_number: int, _frame: FrameType | None) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        raise Interrupted

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
