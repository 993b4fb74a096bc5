"""`./koinx backup` and `./koinx restore`: nothing else may write to what is written."""

import os
import subprocess
import sys
from pathlib import Path

from cli.output import complain
from settings import ROOT, Settings
from supervisor.control import Processes

WRITERS = ("api", "worker", "beat")  # what writes to the database


def backup(processes: Processes, settings: Settings, file: str) -> int:
    """Backs up the running database; the exit code."""
    if not _runs(processes, settings):
        return 1
    return _carry_out("cli.backup", _named(file))


def restore(processes: Processes, settings: Settings, file: str, *, replace: bool) -> int:
    """Restores into the running database, which nothing else may write to; the exit code."""
    if not _runs(processes, settings):
        return 1
    overview = processes.overview()
    running = [
        name for name in WRITERS if (process := overview.get(name)) and process["pid"] is not None
    ]
    if running:
        stops = "; ".join(f"./koinx stop {name}" for name in running)
        complain(f"{', '.join(running)} would write to the database meanwhile: {stops}")
        return 1
    return _carry_out("cli.restore", _named(file), *(("--replace",) if replace else ()))


def _runs(processes: Processes, settings: Settings) -> bool:
    if settings.mongodb_uri is not None:
        return True
    process = processes.overview().get("mongodb")
    if process is None or not process["ready"]:
        complain("MongoDB does not run: ./koinx start mongodb")
        return False
    return True


def _named(file: str) -> str:
    # ./koinx runs us in the project's folder; the shell's own is what was meant.
    return str(Path(os.environ.get("PWD", "."), file))


def _carry_out(module: str, *arguments: str) -> int:
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, cwd=ROOT, check=False).returncode
