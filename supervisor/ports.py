"""Finds free TCP ports, and the processes that hold the others."""

import errno
import secrets
import socket
from contextlib import suppress

import psutil

from supervisor.state_dir import StateDir

FILE = "ports.json"
# Below the range that systems use for outgoing connections: one of those could take the port
# between a server's stop and its next start.
CANDIDATES = range(20_000, 32_000)


def bind_error(host: str, port: int) -> OSError | None:
    """Returns why a server cannot listen there now; None if it can."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(1)
    except OSError as error:
        return error
    return None


def is_busy(host: str, port: int) -> bool:
    """Returns whether another process listens there already."""
    error = bind_error(host, port)
    return error is not None and error.errno == errno.EADDRINUSE


def listeners(port: int) -> list[int]:
    """Returns the pids that listen on a port; [] where the system does not tell."""
    try:
        connections = psutil.net_connections(kind="tcp")
    except (psutil.Error, OSError):
        return []
    return sorted(
        {
            connection.pid
            for connection in connections
            if connection.status == psutil.CONN_LISTEN
            and connection.laddr
            and connection.laddr.port == port
            and connection.pid
        }
    )


def problem(setting: str, host: str, port: int) -> str | None:
    """Explains why `setting` (API_PORT, DASH_PORT) cannot be used, and the fix; None if it can."""
    error = bind_error(host, port)
    if error is None:
        return None
    if error.errno == errno.EADDRINUSE:
        return (
            f"{setting}={port} is in use by {_process_name(listeners(port))}: "
            f"set {setting} to a free port, or stop that process"
        )
    if error.errno == errno.EACCES:
        return f"{setting}={port} needs more rights than this account has: set a port above 1023"
    name = setting.replace("_PORT", "_HOST")
    return f"{name}={host} is not an address of this machine ({error.strerror})"


def _process_name(pids: list[int]) -> str:
    for pid in pids:
        with suppress(psutil.Error):
            return f"{psutil.Process(pid).name()} (pid {pid})"
    return "another process"


class PortStore:
    """Assigns each embedded server a loopback port and keeps it for later starts."""

    def __init__(self, state_dir: StateDir) -> None:
        self._state_dir = state_dir

    def get(self, name: str) -> int:
        """Returns a server's port; assigns one at the first call."""
        port = self._state_dir.read(FILE).get(name)
        return port if isinstance(port, int) else self.reassign(name)

    def reassign(self, name: str) -> int:
        """Assigns another port, because a foreign process holds the current one."""
        assigned = self._state_dir.read(FILE)
        shuffled = secrets.SystemRandom().sample(CANDIDATES, len(CANDIDATES))
        port = next(
            port
            for port in shuffled
            if port not in assigned.values() and bind_error("127.0.0.1", port) is None
        )
        self._state_dir.write(FILE, assigned | {name: port})
        return port
