"""What can be told to be wrong before anything is started."""

import shutil
import tempfile

from dash_ui import ports, servers
from dash_ui.identity import sessions
from dash_ui.processes import Detail, Processes
from settings import Settings

MEGABYTE = 1_000_000
SPARE = 50
FOR_A_NEW_MONGOD = 350  # it takes 300 MB at once: its journal, its operation log


def complaints(settings: Settings, processes: Processes) -> list[str]:
    """A line for each obstacle to `up`, with its cure; [] if there is none."""
    return _folder(settings, processes) or [
        *_ports(settings, processes.overview().processes),
        *_servers(settings),
    ]


def _folder(settings: Settings, processes: Processes) -> list[str]:
    home = processes.folder.home
    try:
        processes.folder.make()
        for folder in (processes.folder.run, processes.folder.logs, processes.folder.data):
            tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        return [
            f"KOINX_HOME={home} cannot be written ({error.strerror}): "
            "make room there, or set KOINX_HOME to another folder"
        ]
    is_new = not (processes.folder.data / "mongodb").exists()
    needed = SPARE + FOR_A_NEW_MONGOD * (is_new and "mongodb" in servers.embedded(settings))
    free = shutil.disk_usage(home).free // MEGABYTE
    if free < needed:
        return [
            f"KOINX_HOME={home} is on a disk with {free} MB free, a start needs {needed}: "
            "make room there, or set KOINX_HOME to another folder"
        ]
    return []


def _ports(settings: Settings, running: list[Detail]) -> list[str]:
    if settings.api_port == settings.dash_port:
        return [f"API_PORT and DASH_PORT are both {settings.api_port}: set one to another port"]
    wanted = (
        ("API_PORT", settings.api_host, settings.api_port),
        ("DASH_PORT", settings.dash_host, settings.dash_port),
    )
    return [
        complaint
        for setting, host, port in wanted
        if (complaint := ports.complaint(setting, host, port)) and not _is_ours(port, running)
    ]


def _is_ours(port: int, running: list[Detail]) -> bool:
    ours = {process["pid"] for process in running if process["pid"]}
    by_session = sessions()
    return any(pid in by_session.get(leader, ()) for leader in ours for pid in ports.holders(port))


def _servers(settings: Settings) -> list[str]:
    found = []
    for name in servers.embedded(settings):
        try:
            servers.spec(name, settings, 0)
        except servers.ServerMissingError as error:
            found.append(str(error))
    return found
