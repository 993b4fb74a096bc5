"""What this machine must have: ports, a folder that can be written, room on its disks."""

import os
from contextlib import suppress
from pathlib import Path

import psutil

from cli import preflight
from cli.doctor.finding import Finding, fault
from settings import ROOT, Settings
from settings.disk_space import MEGABYTE, disks
from supervisor import ports
from supervisor.control import Detail
from supervisor.state_dir import StateDir

OWN_PROGRAMS = {"API_PORT": "api.wsgi:app", "DASH_PORT": "dash_ui.wsgi:server"}


def addresses(settings: Settings, running: list[Detail]) -> list[Finding]:
    """The two ports that users know: free, held by us, or by a stranger."""
    complaints = preflight.port_complaints(settings, running)
    found = []
    for name, program in OWN_PROGRAMS.items():
        port = getattr(settings, name.lower())
        text = next((line for line in complaints if name in line), None)
        pids = ports.listeners(port) if text else []
        if text and not any(_is_ours(pid, program, settings.koinx_home) for pid in pids):
            problem, _, cure = text.partition(": ")
            found.append(fault("ports", problem, cure))
        else:
            busy = ports.is_busy(getattr(settings, name.lower().replace("port", "host")), port)
            found.append(
                Finding("ports", "ok", f"{name}={port} is {'held by us' if busy else 'free'}")
            )
    return found


def _is_ours(pid: int, program: str, home: Path) -> bool:
    """Whether it is this home's, though no supervisor of ours started it."""
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        named = process.environ().get("KOINX_HOME") or home
        # With setproctitle installed its words are one.
        return program in " ".join(process.cmdline()) and ROOT / named == home
    return False


def home(settings: Settings | None, folder: StateDir, *, runs: bool) -> list[Finding]:
    """`KOINX_HOME` and the disks that it is on; nothing is made or changed there."""
    place = _existing(folder.home)
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        return [
            fault(
                "home",
                f"KOINX_HOME={folder.home} cannot be written",
                "set KOINX_HOME to a folder of yours, or give this account the right to write it",
            )
        ]
    found = [Finding("home", "ok", str(folder.home))]
    if settings is not None and not runs and folder.home.is_dir():
        for text in preflight.room_complaints(settings, folder):
            problem, _, cure = text.partition(": ")
            found.append(fault("disk", problem, cure))
    if any(one.state == "fault" for one in found):
        return found
    for disk in disks([place, folder.data, folder.logs, folder.run]):
        if disk.is_short:
            problem, _, cure = str(disk).partition(": ")
            found.append(fault("disk", problem, cure))
        else:
            room = f"{disk.free // MEGABYTE:,} MB free, {disk.reserve // MEGABYTE} are kept free"
            found.append(Finding("disk", "ok", f"{disk.folder}: {room}"))
    return found


def _existing(path: Path) -> Path:
    """The folder itself, or the nearest above it that is there."""
    return next(one for one in (path, *path.parents) if one.exists())
