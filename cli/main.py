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
from cli.backfill import backfill
from cli.output import CommandError, print_error, print_line, table, typed_path
from cli.trace import NEWEST, trace
from cli.up import await_ready, down, print_link, up
from dash_ui.auth.login_link import LINK_LIFETIME, create_link
from logs.redaction import plain
from settings import ROOT, SettingsError
from settings.disk_space import Room
from supervisor import process_plan
from supervisor.control import Process, Processes, SupervisorError
from supervisor.embedded import servers

LINES = 100  # shown of each log
START_TIMEOUT = 60.0  # seconds; also for a stop


def parser() -> argparse.ArgumentParser:
    """Defines the command line."""
    top = argparse.ArgumentParser(
        prog="./koinx",
        description="Collects cryptocurrency prices, stores them durably, and shows the evidence "
        "behind every number.",
    )
    top.add_argument("--version", action=Version, nargs=0, help="show the version and exit")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, text: str, *, json: bool = False) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text.capitalize())
        if json:
            command.add_argument("--json", action="store_true", help="output JSON")
        return command

    command = add("up", "start everything and stay in the foreground")
    command.add_argument("--demo", action="store_true", help="use simulated prices: no internet")
    command.add_argument("--replay", metavar="FOLDER", help="use recorded pages")
    command.add_argument("--detach", action="store_true", help="return when everything is ready")
    command.add_argument(
        "--switch", action="store_true", help="switch from the running market or currency"
    )
    add("down", "stop everything")
    add("status", "one line per process, with a link to the dashboard", json=True)
    for verb in ("start", "stop", "restart"):
        command = add(verb, f"{verb} one process")
        command.add_argument(
            "name", metavar="NAME", choices=process_plan.NAMES, help=", ".join(process_plan.NAMES)
        )
    command = add("logs", "show the processes' output")
    names = (*process_plan.NAMES, *process_plan.OTHER_LOGS)
    command.add_argument("name", metavar="NAME", nargs="?", choices=names, help=", ".join(names))
    command.add_argument("-f", "--follow", action="store_true", help="keep showing new lines")
    command = add("url", "print the address of a server, with its password")
    addresses = (*servers.EMBEDDED, "api", "dashboard")
    command.add_argument("name", metavar="NAME", choices=addresses, help=", ".join(addresses))
    command = add("backfill", "fill gaps with prices from the source's history")
    command.add_argument("--coins", metavar="A,B", help="coin ids; default: all collected coins")
    command.add_argument("--from", dest="start", metavar="TIME", help="such as 2026-11-20T00:00Z")
    command.add_argument("--to", dest="end", metavar="TIME", help="default: now")
    add("doctor", "list problems and how to fix them", json=True)
    command = add("trace", "show an update's path, step by step", json=True)
    command.add_argument("id", metavar="ID", nargs="?", default=NEWEST, help="default: the newest")
    add("selftest", "send one update through the whole system", json=True)
    command = add("backup", "write everything stored to a file")
    command.add_argument("file", metavar="FILE", help="such as koinx.zip; must not exist")
    command = add("restore", "restore a backup")
    command.add_argument("file", metavar="FILE", help="a file that backup wrote")
    command.add_argument("--replace", action="store_true", help="replace what is stored now")
    add("bench", "run the benchmarks, or those named")
    add("test", "run the tests; takes pytest's arguments")
    return top


class Version(argparse.Action):
    """Prints the version that `pyproject.toml` names."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        """Prints it, and exits."""
        print_line(f"KoinX {project.version()}")
        parser.exit()


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; the exit code is 2 for invalid settings, 1 for any other failure."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    if arguments and (forward := FORWARDED.get(arguments[0])):
        return forward(arguments[1:])
    options = parser().parse_args(arguments)
    try:
        return COMMANDS[options.command](Processes(), options)
    except SettingsError as error:
        for line in error.errors:
            print_error(line)
        return 2
    except (ApiError, CommandError, SupervisorError) as error:
        print_error(f"{error} {error.next_step}" if isinstance(error, ApiError) else str(error))
        return 1
    except OSError as error:
        if not isinstance(error, BrokenPipeError):  # `| head` closes the pipe when it has enough
            print_error(plain(error))
        return 1
    except KeyboardInterrupt:
        return 130


def _up(processes: Processes, options: argparse.Namespace) -> int:
    environment = dict(os.environ)
    if options.replay is not None:
        folder = typed_path(options.replay)
        environment |= {"MARKET": "replay", "SIMULATOR_REPLAY": str(folder)}
    elif options.demo:
        environment["MARKET"] = "demo"
    settings = project.load(environment, running=False)
    return up(settings, processes, detach=options.detach, switch=options.switch)


def _down(processes: Processes, _: argparse.Namespace) -> int:
    down(processes)
    return 0


def _status(processes: Processes, options: argparse.Namespace) -> int:
    overview = processes.overview()
    if options.json:
        shown = [
            {key: process[key] for key in Process.__annotations__}  # type: ignore[literal-required]
            for process in overview.processes
        ]
        print_line(json.dumps({"processes": shown}, indent=2))
        return 0
    for line in table(overview.processes) if overview.processes else ["nothing was started yet"]:
        print_line(line)
    _print_link(processes)
    settings = processes.settings()
    if settings and (short := Room(settings).report()):
        print_error(short)
    if any(process["pid"] for process in overview.processes) and not processes.supervised():
        print_error("no supervisor is running, so nothing is restarted: run ./koinx up")
    return 0


def _one(processes: Processes, options: argparse.Namespace) -> int:
    """Starts, stops or restarts one process, and waits until that is done."""
    verb, name = options.command, options.name
    if verb == "stop":
        return _stop(processes, name)
    settings = processes.settings() or project.load(running=False)
    if name not in process_plan.names(settings):
        reason = "it runs only with --demo" if name == "market" else "a setting names another"
        raise CommandError(f"KoinX does not run {name}, so it cannot {verb} it: {reason}")
    request = processes.start if verb == "start" else processes.restart
    if not await_ready(processes, request(name, settings), [name], START_TIMEOUT):
        return 1
    if name == "dashboard":
        _print_link(processes)
    return 0


def _stop(processes: Processes, name: str) -> int:
    process = processes.overview().get(name)
    if not processes.supervised() and (process is None or process["pid"] is None):
        print_line(f"{name} is not running")
        return 0
    for overview in processes.wait(processes.stop(name), START_TIMEOUT):
        process = overview.get(name)
        if process is None or process["pid"] is None:
            print_line(f"{name} is stopped")
            return 0
    raise CommandError(f"{name} is still running after {START_TIMEOUT:.0f} s")


def _print_link(processes: Processes) -> None:
    """Prints a new link to the dashboard, if it is ready."""
    dashboard = processes.overview().get("dashboard")
    if dashboard and dashboard["ready"] and dashboard["url"]:
        print_link(dashboard["url"], processes, LINK_LIFETIME)


def _logs(processes: Processes, options: argparse.Namespace) -> int:
    names = [options.name] if options.name else [*process_plan.OTHER_LOGS, *process_plan.NAMES]
    logs.show(processes, names, LINES)
    if options.follow:
        logs.follow(processes, names=names)
    return 0


def _url(processes: Processes, options: argparse.Namespace) -> int:
    """Prints an address for other programs: a server's with its password, the dashboard's link."""
    name, settings = options.name, context.in_force(processes)
    process = processes.overview().get(name)
    field = servers.EMBEDDED.get(name)
    secret = getattr(settings, field) if field else None
    if process["pid"] is None if process else secret is None:
        raise CommandError(f"{name} is not running: ./koinx start {name}")
    if secret is not None:
        print_line(secret.get_secret_value())
    elif name == "api":
        print_line(process_plan.local_url(settings.api_host, settings.api_port))
    else:
        dashboard = process_plan.local_url(settings.dash_host, settings.dash_port)
        print_line(create_link(dashboard, processes.state_dir, LINK_LIFETIME))
    return 0


def _backfill(processes: Processes, options: argparse.Namespace) -> int:
    api = processes.overview().get("api")
    settings = processes.settings()
    if settings is None or api is None or not api["ready"] or api["url"] is None:
        raise CommandError("the API is not running: ./koinx up")
    key = settings.api_key.get_secret_value() if settings.api_key else None
    coins = [coin.strip() for coin in (options.coins or "").split(",") if coin.strip()]
    backfill(api["url"], key, coins, options.start, options.end)
    return 0


def _backup(processes: Processes, options: argparse.Namespace) -> int:
    from cli import backup  # noqa: PLC0415 - MongoEngine is slow to import

    settings = context.in_force(processes)
    backup.require_mongodb(processes, settings)
    backup.backup(settings, typed_path(options.file))
    return 0


def _restore(processes: Processes, options: argparse.Namespace) -> int:
    from cli import backup, restore  # noqa: PLC0415 - as above

    settings = context.in_force(processes)
    backup.require_mongodb(processes, settings)
    restore.require_no_writers(processes)
    restore.restore(settings, typed_path(options.file), replace=options.replace)
    return 0


def _doctor(processes: Processes, options: argparse.Namespace) -> int:
    from cli.doctor.runner import doctor  # noqa: PLC0415 - slow to import

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
    # The tests start hundreds of processes: without the bytecode cache each compiles all code.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    # The whole suite mostly waits for servers: it runs three files at a time, each with its own
    # fixtures. Sorted by number of tests, the longest files, which have few, would come last.
    whole = ["-n", "3", "--dist", "loadfile", "--no-loadscope-reorder"]
    named = any(Path(argument.partition("::")[0]).exists() for argument in arguments)
    command = [sys.executable, "-m", "pytest", *([] if named else whole), *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


def _bench(arguments: list[str]) -> int:
    environment = {**os.environ, "KOINX_ENV_FILE": ""}
    command = [sys.executable, "-m", "bench", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


FORWARDED = {"test": _test, "bench": _bench}  # commands with arguments of their own
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
    print_error("".join(traceback.format_exception(kind, error, where)).rstrip())


if __name__ == "__main__":
    sys.excepthook = _unexpected
    sys.exit(main())
