"""Checks before a start: folders, disk space, ports, server programs."""

import tempfile

from settings import Settings
from settings.disk_space import MEGABYTE, data_folder, disks
from supervisor import ports
from supervisor.control import Detail, Processes
from supervisor.embedded import servers
from supervisor.process_identity import sessions
from supervisor.state_dir import StateDir

MARKETS = {"demo": "simulated prices", "replay": "recorded pages", "live": "live prices"}
NEW_MONGOD = 350 * MEGABYTE  # a new mongod takes 315 MB at once: its journal and oplog


def problems(settings: Settings, processes: Processes) -> list[str]:
    """Returns a line for each obstacle to `up`, with the fix; [] if there is none."""
    return _folder_problems(settings, processes) or [
        *port_problems(settings, processes.overview().processes),
        *server_problems(settings),
    ]


def other_market(settings: Settings, processes: Processes) -> str | None:
    """Explains if `up` would leave the running market or currency; None if it would not."""
    running = processes.settings()
    runs = any(process["pid"] for process in processes.overview().processes)
    if not runs or running is None or running.database == settings.database:
        return None
    return (
        f"KoinX is running on {_market(running)}, but you asked for {_market(settings)}. "
        "Run ./koinx down first, or add --switch."
    )


def _market(settings: Settings) -> str:
    return f"{MARKETS[settings.market]} in {settings.currency}"


def _folder_problems(settings: Settings, processes: Processes) -> list[str]:
    home = processes.state_dir.home
    try:
        processes.state_dir.create()
        for folder in (processes.state_dir.run, processes.state_dir.logs, processes.state_dir.data):
            tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        return [
            f"KOINX_HOME={home} cannot be written ({error.strerror}): "
            "make room there, or set KOINX_HOME to another folder"
        ]
    return room_problems(settings, processes.state_dir)


def room_problems(settings: Settings, folder: StateDir) -> list[str]:
    """Returns a line for each disk under an existing home that has no room for a start."""
    own = [data_folder(settings, name) for name in servers.embedded(settings)]
    mongodb = data_folder(settings, "mongodb")
    is_new = mongodb in own and not any(mongodb.glob("*"))
    device = (
        next(path for path in (mongodb, folder.data, folder.home) if path.exists()).stat().st_dev
    )
    found = []
    for disk in disks([folder.home, *own, folder.logs, folder.run]):
        needed = disk.reserve + NEW_MONGOD * (is_new and disk.device == device)
        if disk.free < needed:
            named = f"KOINX_HOME={folder.home}" if disk.folder == folder.home else disk.folder
            found.append(
                f"{named} is on a disk with {disk.free // MEGABYTE} MB free, a start needs "
                f"{-(-needed // MEGABYTE)} MB: make room there, or set KOINX_HOME to another folder"
            )
    return found


def port_problems(settings: Settings, running: list[Detail]) -> list[str]:
    """Returns a line for each port that a process other than the running ones holds."""
    if settings.api_port == settings.dash_port:
        return [f"API_PORT and DASH_PORT are both {settings.api_port}: set one to another port"]
    wanted = (
        ("API_PORT", settings.api_host, settings.api_port),
        ("DASH_PORT", settings.dash_host, settings.dash_port),
    )
    return [
        problem
        for setting, host, port in wanted
        if (problem := ports.problem(setting, host, port)) and not _is_ours(port, running)
    ]


def _is_ours(port: int, running: list[Detail]) -> bool:
    ours = {process["pid"] for process in running if process["pid"]}
    by_session = sessions()
    return any(
        pid in by_session.get(leader, ()) for leader in ours for pid in ports.listeners(port)
    )


def server_problems(settings: Settings) -> list[str]:
    """Returns a line for each embedded server that has no program on this machine."""
    found = []
    for name in servers.embedded(settings):
        try:
            servers.spec(name, settings, 0, "")
        except servers.ServerMissingError as error:
            found.append(str(error))
    return found
