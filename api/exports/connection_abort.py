"""Aborts the TCP connection of a streamed response that failed, which WSGI cannot do.

WSGI does not name the connection. When an application fails in the middle of a chunked response,
Granian logs the error and ends the body regularly (`response_iter` in its src/wsgi/io.rs closes the
channel instead of sending an error), so half a file would pass for the whole. A search in November
2026 found no option of Granian that changes this, and no issue that asks for one; the nearest is
emmett-framework/granian#29, on WSGI conformance. So this module finds the connection by the bytes
it has carried, and shuts it down before the last chunk. Works on Linux; elsewhere it finds none.
"""

import fcntl
import socket
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import Any

import psutil

STALL_SECONDS = 60.0  # a client that reads nothing for so long has gone
FIND_SECONDS = 2.0
POLL_SECONDS = 0.01
HEAD_BYTES = 8192  # no response's head is longer
ACKED = slice(120, 128)  # tcpi_bytes_acked in struct tcp_info of linux/tcp.h

Peer = tuple[str, int]
Connection = socket.socket


class ResponseConnection:
    """Finds the connection, among those to one port of this process, that carries the response.

    Create it before any of the response is sent.
    """

    def __init__(self, port: str, *, stall_seconds: float = STALL_SECONDS) -> None:
        """Also makes the kernel end each of them whose client stalls for so long."""
        self._port = port
        self._before: dict[Peer, int] = {}
        for peer, connection in connections(port):
            timeout = int(stall_seconds * 1000)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, timeout)
            self._before[peer] = _written(connection)

    def abort(self, sent: int) -> bool:
        """Shuts down the connection that has carried `sent` bytes of body since; False: none found.

        `sent` includes the framing of the chunks. Bytes still on their way to the kernel are
        waited for; a client that does not read them is ended by its stall. Where several
        connections have carried the same all that time, they carry like responses, and each is
        shut down.
        """
        end = time.monotonic() + FIND_SECONDS
        is_over = not self._before
        while not is_over:
            time.sleep(POLL_SECONDS)
            is_over = time.monotonic() > end
            with ExitStack() as opened:
                found = [
                    opened.enter_context(connection.dup())
                    for peer, connection in connections(self._port)
                    if peer in self._before
                    and 0 < _written(connection) - self._before[peer] - sent <= HEAD_BYTES
                ]
                if len(found) == 1 or (found and is_over):
                    for connection in found:
                        with suppress(OSError):  # the client closed it
                            connection.shutdown(socket.SHUT_RDWR)
                    return True
        return False


def chunk_bytes(chunk: bytes) -> int:
    """Returns a chunk's bytes in a chunked body: with its length in hexadecimal, and two CRLF."""
    return len(f"{len(chunk):x}") + len(chunk) + 4


def connections(port: str) -> Iterator[tuple[Peer, Connection]]:
    """Yields this process's connections to a port of its own, with their peers.

    Each is valid until the next one: thousands at once would need as many more open files.
    """
    for one in _open_connections():
        if one.raddr and str(one.laddr.port) == port:
            peer = (one.raddr.ip, one.raddr.port)
            with suppress(OSError), socket.fromfd(one.fd, one.family, one.type) as connection:
                # The descriptor may belong to another connection by now.
                if connection.getpeername()[:2] == peer:
                    yield peer, connection


def listening_ports() -> set[str]:
    """Returns the ports on which this process accepts connections."""
    return {str(one.laddr.port) for one in _open_connections() if one.status == psutil.CONN_LISTEN}


def _open_connections() -> list[Any]:
    if sys.platform != "linux":
        return []
    try:
        return psutil.Process().net_connections("tcp")
    except (psutil.Error, OSError):  # a sandbox may hide them
        return []


def _written(connection: Connection) -> int:
    """Returns how many bytes this process has written to a connection, received or not."""
    return acknowledged(connection) + unacknowledged(connection)


def acknowledged(connection: Connection) -> int:
    """Returns how many bytes the peer has received."""
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, ACKED.stop)
    return int.from_bytes(info[ACKED], sys.byteorder)


def unacknowledged(connection: Connection) -> int:
    """Returns how many bytes were written that the peer has not received."""
    count = fcntl.ioctl(connection, termios.TIOCOUTQ, b"\0\0\0\0")
    return int.from_bytes(count, sys.byteorder)
