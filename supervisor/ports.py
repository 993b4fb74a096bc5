"""Which TCP ports are free, and who holds one that is not."""

import errno
import secrets
import socket
from contextlib import suppress

import psutil

from supervisor.state_dir import Folder

FILE = "ports.json"
# Below the range from which systems take ports for outgoing connections, which could come between
# a server's end and its next start.
CHOICE = range(20_000, 32_000)


def refusal(host: str, port: int) -> OSError | None:
    """Why nobody could listen there now; None if it is free."""
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
    """Whether somebody listens there already."""
    error = refusal(host, port)
    return error is not None and error.errno == errno.EADDRINUSE


def holders(port: int) -> list[int]:
    """The pids that listen on a port; empty where the system does not tell."""
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


def complaint(setting: str, host: str, port: int) -> str | None:
    """Why `setting` (API_PORT, DASH_PORT) cannot be had, with the cure; None if it can."""
    error = refusal(host, port)
    if error is None:
        return None
    if error.errno == errno.EADDRINUSE:
        return (
            f"{setting}={port} is in use by {_named(holders(port))}: "
            f"set {setting} to a free port, or stop it"
        )
    if error.errno == errno.EACCES:
        return f"{setting}={port} may not be used by this account: set a port above 1023"
    name = setting.replace("_PORT", "_HOST")
    return f"{name}={host} is no address of this machine ({error.strerror})"


def _named(pids: list[int]) -> str:
    for pid in pids:
        with suppress(psutil.Error):
            return f"{psutil.Process(pid).name()} (pid {pid})"
    return "another process"


class KeptPorts:
    """A loopback port for each embedded server, chosen once, then the same at every start."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder

    def get(self, name: str) -> int:
        """The port of a server."""
        port = self._folder.read(FILE).get(name)
        return port if isinstance(port, int) else self.renew(name)

    def renew(self, name: str) -> int:
        """Another port, since a stranger holds the kept one."""
        kept = self._folder.read(FILE)
        taken = set(kept.values())
        choice = (
            port for port in secrets.SystemRandom().sample(CHOICE, len(CHOICE)) if port not in taken
        )
        port = next(port for port in choice if refusal("127.0.0.1", port) is None)
        self._folder.write(FILE, kept | {name: port})
        return port
