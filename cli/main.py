"""The command line behind `./koinx`: `python -m cli.main`."""

import argparse
import json
import os
import subprocess
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

import settings as project
from api_client.client import ApiError
from cli import context, logs
from cli.backfill import Refused, backfill
from cli.output import complain, say, table
from cli.trace import NEWEST, trace
from cli.up import await_ready, down, tell_link, up
from dash_ui.auth.login_link import LINK_LIFETIME, create_link
from logs.redaction import plain
from settings import ROOT, Settings, SettingsError
from settings.disk_space import Room
from supervisor import process_plan
from supervisor.control import Process, Processes, SupervisorError
from supervisor.embedded import servers

LINES = 100  # of each log, where not all is asked for
PATIENCE = 60.0  # seconds


def parser() -> argparse.ArgumentParser:
    """What can be typed."""
    top = argparse.ArgumentParser(
        prog="./koinx", description="Collects cryptocurrency statistics, and shows them."
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    one = commands.add_parser("up", help="start everything, and stay in the foreground")
    one.add_argument("--demo", action="store_true", help="against a simulated market: no internet")
    one.add_argument("--replay", metavar="FOLDER", help="against recorded pages")
    one.add_argument("--detach", action="store_true", help="return when all is ready")
    one.add_argument(
        "--switch", action="store_true", help="leave the market or currency that runs now"
    )
    commands.add_parser("down", help="stop everything")
    one = commands.add_parser("status", help="one line a process, with a link to the dashboard")
    one.add_argument("--json", action="store_true", help="for programs")
    for verb in ("start", "stop", "restart"):
        one = commands.add_parser(verb, help=f"{verb} one process")
        one.add_argument(
            "name", metavar="NAME", choices=process_plan.NAMES, help=", ".join(process_plan.NAMES)
        )
    one = commands.add_parser("logs", help="what the processes wrote")
    names = (*process_plan.NAMES, *process_plan.OTHER_LOGS)
    one.add_argument("name", metavar="NAME", nargs="?", choices=names, help=", ".join(names))
    one.add_argument("-f", "--follow", action="store_true", help="and what they go on to write")
    one = commands.add_parser("url", help="the address of one, with its password")
    addresses = (*servers.EMBEDDED, "api", "dashboard")
    one.add_argument("name", metavar="NAME", choices=addresses, help=", ".join(addresses))
    one = commands.add_parser("backfill", help="mend a stretch of history from the source's own")
    one.add_argument("--coins", metavar="A,B", help="ids; left out: all that are collected")
    one.add_argument("--from", dest="start", metavar="TIME", help="such as 2026-11-20T00:00Z")
    one.add_argument("--to", dest="end", metavar="TIME", help="left out: now")
    one = commands.add_parser("doctor", help="look for faults, each with its cure")
    one.add_argument("--json", action="store_true", help="for programs")
    one = commands.add_parser("trace", help="an update's way, hop by hop, and where it stopped")
    one.add_argument("id", metavar="ID", nargs="?", default=NEWEST, help="left out: the newest")
    one.add_argument("--json", action="store_true", help="for programs")
    one = commands.add_parser("selftest", help="send one update the whole way")
    one.add_argument("--json", action="store_true", help="for programs")
    one = commands.add_parser("backup", help="write all that is stored to a file")
    one.add_argument("file", metavar="FILE", help="such as koinx.zip; it must not be there yet")
    one = commands.add_parser("restore", help="put a backup back")
    one.add_argument("file", metavar="FILE", help="what backup wrote")
    one.add_argument("--replace", action="store_true", help="in the place of what is stored now")
    commands.add_parser("bench", help="measure, as ratios; takes the names of some benchmarks")
    commands.add_parser("test", help="run the tests; takes pytest's arguments")
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out a command; the exit code is 2 for wrong settings, 1 for what did not work."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    if arguments and (passed_on := PASSED_ON.get(arguments[0])):
        return passed_on(arguments[1:])
    options = parser().parse_args(arguments)
    try:
        return COMMANDS[options.command](Processes(), options)
    except SettingsError as error:
        for line in error.errors:
            complain(line)
        return 2
    except (ApiError, Refused, SupervisorError) as error:
        complain(f"{error} {error.next_step}" if isinstance(error, ApiError) else str(error))
        return 1
    except OSError as error:
        if not isinstance(error, BrokenPipeError):  # as `| head` leaves it, who has read enough
            complain(plain(error))
        return 1
    except KeyboardInterrupt:
        return 130


def _up(processes: Processes, options: argparse.Namespace) -> int:
    return up(_settings(options), processes, detach=options.detach, switch=options.switch)


def _down(processes: Processes, _: argparse.Namespace) -> int:
    down(processes)
    return 0


def _settings(options: argparse.Namespace) -> Settings:
    environment = dict(os.environ)
    if options.replay is not None:
        # ./koinx runs us in the project's folder; the shell's own is what was meant.
        folder = Path(environment.get("PWD", "."), options.replay)
        environment |= {"MARKET": "replay", "SIMULATOR_REPLAY": str(folder)}
    elif options.demo:
        environment["MARKET"] = "demo"
    return project.load(environment, running=False)


def _status(processes: Processes, options: argparse.Namespace) -> int:
    overview = processes.overview()
    if options.json:
        shown = [
            {key: process[key] for key in Process.__annotations__}  # type: ignore[literal-required]
            for process in overview.processes
        ]
        say(json.dumps({"processes": shown}, indent=2))
        return 0
    for line in table(overview.processes) if overview.processes else ["nothing was started yet"]:
        say(line)
    _tell_link(processes)
    settings = processes.settings()
    if settings and (short := Room(settings).report()):
        complain(short)
    if any(process["pid"] for process in overview.processes) and not processes.supervised():
        complain("no supervisor runs, so nothing is restarted: ./koinx up takes them over")
    return 0


def _one(processes: Processes, options: argparse.Namespace) -> int:
    """Start, stop or restart one process, and wait until that is done."""
    verb, name = options.command, options.name
    if verb == "stop":
        process = processes.overview().get(name)
        if not processes.supervised() and (process is None or process["pid"] is None):
            say(f"{name} does not run")
            return 0
        for overview in processes.wait(processes.stop(name), PATIENCE):
            process = overview.get(name)
            if process is None or process["pid"] is None:
                say(f"{name} is stopped")
                return 0
        complain(f"{name} still runs after {PATIENCE:.0f} s")
        return 1
    settings = processes.settings() or project.load(running=False)
    if name not in process_plan.names(settings):
        reason = "it runs only with --demo" if name == "market" else "a setting names another"
        complain(f"{name} is not ours to {verb}: {reason}")
        return 1
    wish = processes.start if verb == "start" else processes.restart
    if not await_ready(processes, wish(name, settings), [name], PATIENCE):
        return 1
    if name == "dashboard":
        _tell_link(processes)
    return 0


def _tell_link(processes: Processes) -> None:
    """A new link to the dashboard, if it runs."""
    dashboard = processes.overview().get("dashboard")
    if dashboard and dashboard["ready"] and dashboard["url"]:
        tell_link(dashboard["url"], processes, LINK_LIFETIME)


def _logs(processes: Processes, options: argparse.Namespace) -> int:
    names = [options.name] if options.name else [*process_plan.OTHER_LOGS, *process_plan.NAMES]
    logs.show(processes, names, LINES)
    if options.follow:
        logs.follow(processes, names=names)
    return 0


def _url(processes: Processes, options: argparse.Namespace) -> int:
    """An address as other programs take it: a server's has its password, the dashboard's a link."""
    name, settings = options.name, context.in_force(processes)
    process = processes.overview().get(name)
    field = servers.EMBEDDED.get(name)
    secret = getattr(settings, field) if field else None
    if process["pid"] is None if process else secret is None:
        complain(f"{name} is not running: ./koinx start {name}")
        return 1
    if secret is not None:
        say(secret.get_secret_value())
    elif name == "api":
        say(process_plan.local_url(settings.api_host, settings.api_port))
    else:
        dashboard = process_plan.local_url(settings.dash_host, settings.dash_port)
        say(create_link(dashboard, processes.state_dir, LINK_LIFETIME))
    return 0


def _backfill(processes: Processes, options: argparse.Namespace) -> int:
    """Mend a stretch of history, and wait until that is done."""
    api = processes.overview().get("api")
    settings = processes.settings()
    if settings is None or api is None or not api["ready"] or api["url"] is None:
        complain("the API does not run: ./koinx up")
        return 1
    key = settings.api_key.get_secret_value() if settings.api_key else None
    coins = [coin.strip() for coin in (options.coins or "").split(",") if coin.strip()]
    backfill(api["url"], key, coins, options.start, options.end)
    return 0


def _backup(processes: Processes, options: argparse.Namespace) -> int:
    from cli import backup  # noqa: PLC0415 - MongoEngine takes its time to import

    settings = context.in_force(processes)
    try:
        backup.require_mongodb(processes, settings)
        backup.backup(settings, backup.typed_path(options.file))
    except backup.Failed as error:
        complain(str(error))
        return 1
    return 0


def _restore(processes: Processes, options: argparse.Namespace) -> int:
    from cli import backup, restore  # noqa: PLC0415 - as above

    settings = context.in_force(processes)
    try:
        backup.require_mongodb(processes, settings)
        restore.require_no_writers(processes)
        restore.restore(settings, backup.typed_path(options.file), replace=options.replace)
    except backup.Failed as error:
        complain(str(error))
        return 1
    return 0


def _doctor(processes: Processes, options: argparse.Namespace) -> int:
    from cli.doctor.runner import doctor  # noqa: PLC0415 - takes its time to import

    return doctor(processes, as_json=options.json)


def _trace(processes: Processes, options: argparse.Namespace) -> int:
    return trace(context.api(context.in_force(processes)), options.id, as_json=options.json)


def _selftest(processes: Processes, options: argparse.Namespace) -> int:
    from cli.selftest import selftest  # noqa: PLC0415 - Celery takes a third of a second

    settings = context.in_force(processes)
    return selftest(processes, settings, context.api(settings), as_json=options.json)


def _test(arguments: list[str]) -> int:
    # A developer's own .env must not decide whether the tests pass.
    environment = {**os.environ, "KOINX_ENV_FILE": ""}
    # Some hundred processes are started: without what is kept of it, each compiles all code anew.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    # The whole suite mostly waits for servers: three files at a time, each with its own fixtures.
    # In their order: by their number of tests the longest, of few tests, would come last.
    whole = ["-n", "3", "--dist", "loadfile", "--no-loadscope-reorder"]
    command = [sys.executable, "-m", "pytest", *(arguments or whole)]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


def _bench(arguments: list[str]) -> int:
    environment = {**os.environ, "KOINX_ENV_FILE": ""}
    command = [sys.executable, "-m", "bench", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


PASSED_ON = {"test": _test, "bench": _bench}  # with arguments of their own
COMMANDS: dict[str, Callable[[Processes, argparse.Namespace], int]] = {
    "up": _up,
    "down": _down,
    "status": _status,
    "start": _one,
    "stop": _one,
    "restart": _one,
    "logs": _logs,
    "url": _url,
    "backfill": _backfill,
    "backup": _backup,
    "restore": _restore,
    "doctor": _doctor,
    "trace": _trace,
    "selftest": _selftest,
}


def _unexpected(
    kind: type[BaseException], error: BaseException, where: TracebackType | None
) -> None:
    complain("".join(traceback.format_exception(kind, error, where)).rstrip())


if __name__ == "__main__":
    sys.excepthook = _unexpected
    sys.exit(main())
