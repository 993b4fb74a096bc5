"""Checks this machine: ports, the home folder, disk space."""

import os
from contextlib import suppress
from pathlib import Path

import psutil

from cli import preflight
from cli.doctor.finding import Finding, problem
from settings import ROOT, Settings
from settings.disk_space import MEGABYTE, disks
from supervisor import ports
from supervisor.control import Detail
from supervisor.state_dir import StateDir

OWN_PROGRAMS = {"API_PORT": "api.wsgi:app", "DASH_PORT": "dash_ui.wsgi:server"}


def addresses(settings: Settings, running: list[Detail]) -> list[Finding]:
    """Checks the ports of API and dashboard: free, used by KoinX, or by another program."""
    problems = preflight.port_problems(settings, running)
    found = []
    for name, program in OWN_PROGRAMS.items():
        port = getattr(settings, name.lower())
        text = next((line for line in problems if name in line), None)
        pids = ports.listeners(port) if text else []
        if text and not any(_is_ours(pid, program, settings.koinx_home) for pid in pids):
            what, _, cure = text.partition(": ")
            found.append(problem("ports", what, cure))
        else:
            busy = ports.is_busy(getattr(settings, name.lower().replace("port", "host")), port)
            found.append(
                Finding("ports", "ok", f"{name}={port} is {'in use by KoinX' if busy else 'free'}")
            )
    return found


def _is_ours(pid: int, program: str, home: Path) -> bool:
    """Returns whether it belongs to this home, though this home's supervisor did not start it."""
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        named = process.environ().get("KOINX_HOME") or home
        # With setproctitle installed, the command line is one string.
        return program in " ".join(process.cmdline()) and ROOT / named == home
    return False


def home(settings: Settings | None, folder: StateDir, *, runs: bool) -> list[Finding]:
    """Checks `KOINX_HOME` and its disks without changing anything there."""
    place = _existing(folder.home)
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        return [
            problem(
                "home",
                f"KOINX_HOME={folder.home} cannot be written",
                "set KOINX_HOME to a folder that you own, or let this account write to it",
            )
        ]
    found = [Finding("home", "ok", str(folder.home))]
    if settings is not None and not runs and folder.home.is_dir():
        for text in preflight.room_problems(settings, folder):
            what, _, cure = text.partition(": ")
            found.append(problem("disk", what, cure))
    if any(one.state == "fault" for one in found):
        return found
    for disk in disks([place, folder.data, folder.logs, folder.run]):
        if disk.is_short:
            what, _, cure = str(disk).partition(": ")
            found.append(problem("disk", what, cure))
        else:
            room = f"{disk.free // MEGABYTE:,} MB free, {disk.reserve // MEGABYTE} MB reserved"
            found.append(Finding("disk", "ok", f"{disk.folder}: {room}"))
    return found


def _existing(path: Path) -> Path:
    """Returns the folder itself, or its nearest existing parent."""
    return next(one for one in (path, *path.parents) if one.exists())
