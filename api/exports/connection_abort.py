"""The TCP connection that a streamed answer goes over: ended where WSGI has no way to end it.

WSGI names no connection, and Granian closes a chunked answer in good order when the application
fails in the middle of it: half a file would pass for the whole. So the connection is found by what
it has carried, and shut down before the last chunk. On Linux; elsewhere none is found.
"""

import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import Any

import psutil

if sys.platform == "linux":
    import fcntl
    import termios

STALL_SECONDS = 60.0  # a reader that takes nothing for so long has gone
FIND_SECONDS = 2.0
LOOK_SECONDS = 0.01
HEAD_BYTES = 8192  # no answer's head is longer
ACKED = slice(120, 128)  # tcpi_bytes_acked in struct tcp_info of linux/tcp.h

Peer = tuple[str, int]
Connection = socket.socket


class ResponseConnection:
    """The connections to one port of this process, one of which carries the answer.

    To be made before any of the answer is sent.
    """

    def __init__(self, port: str, *, stall_seconds: float = STALL_SECONDS) -> None:
        """Also has the kernel end each of them whose reader stalls for so long."""
        self._port = port
        self._before: dict[Peer, int] = {}
        for peer, connection in connections(port):
            _bound_stall(connection, stall_seconds)
            self._before[peer] = _written(connection)

    def cut(self, carried: int) -> bool:
        """Ends the connection that has carried so many bytes of a body since; False: none found.

        `carried` counts the framing of the chunks. What is still on its way to the kernel is
        waited for; a reader that does not take it is ended by its stall. Where several have
        carried the same for all that time, which are like answers, each of them is ended.
        """
        end = time.monotonic() + FIND_SECONDS
        is_over = not self._before
        while not is_over:
            time.sleep(LOOK_SECONDS)
            is_over = time.monotonic() > end
            with ExitStack() as opened:
                found = [
                    opened.enter_context(connection.dup())
                    for peer, connection in connections(self._port)
                    if peer in self._before
                    and 0 < _written(connection) - self._before[peer] - carried <= HEAD_BYTES
                ]
                if len(found) == 1 or (found and is_over):
                    for connection in found:
                        with suppress(OSError):  # the reader ended it
                            connection.shutdown(socket.SHUT_RDWR)
                    return True
        return False


def chunk_bytes(chunk: bytes) -> int:
    """The bytes that a chunk takes in a chunked body: its length in hexadecimal, two line ends."""
    return len(f"{len(chunk):x}") + len(chunk) + 4


def connections(port: str) -> Iterator[tuple[Peer, Connection]]:
    """This process's connections to a port of its own, with their other end.

    Each is good until the next is asked for: thousands at once would need as many files more.
    """
    for one in _open():
        if one.raddr and str(one.laddr.port) == port:
            peer = (one.raddr.ip, one.raddr.port)
            with suppress(OSError), socket.fromfd(one.fd, one.family, one.type) as connection:
                # The number may have become another connection's meanwhile.
                if connection.getpeername()[:2] == peer:
                    yield peer, connection


def listening() -> set[str]:
    """The ports that this process takes connections at."""
    return {str(one.laddr.port) for one in _open() if one.status == psutil.CONN_LISTEN}


def _open() -> list[Any]:
    if sys.platform != "linux":
        return []
    try:
        return psutil.Process().net_connections("tcp")
    except (psutil.Error, OSError):  # a sandbox may hide them
        return []


def _bound_stall(connection: socket.socket, seconds: float) -> None:
    if sys.platform == "linux":
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(seconds * 1000))


def _written(connection: Connection) -> int:
    """How many bytes this process has written to a connection, received or not."""
    return taken(connection) + waiting(connection)


def taken(connection: Connection) -> int:
    """How many bytes the other end has received."""
    if sys.platform != "linux":
        return 0
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, ACKED.stop)
    return int.from_bytes(info[ACKED], sys.byteorder)


def waiting(connection: Connection) -> int:
    """How many bytes were written that the other end has not received."""
    if sys.platform != "linux":
        return 0
    count = fcntl.ioctl(connection, termios.TIOCOUTQ, b"\0\0\0\0")
    return int.from_bytes(count, sys.byteorder)
