"""Connections that make no progress are ended, others are not: real sockets, the clock is ours."""

import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from api.exports.connection_abort import connections, listening_ports
from api.protection.slow_clients import MIN_BYTES, WINDOW_SECONDS, ProgressMonitor
from bench.harness.services import wait_until
from tests.harness.tcp_pair import Pair, Server

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
MUCH = 8 * MIN_BYTES  # more than the buffers on the way hold


class Looked:
    """A pace that looks at one server's connections, at times that the test says."""

    def __init__(self, server: Server) -> None:
        self._port, self._pace, self._now = server.port, ProgressMonitor(), 1000.0

    def after(self, seconds: float) -> int:
        self._now += seconds
        return self._pace.close_stalled(self._now, connections(self._port))


@pytest.fixture
def server() -> Iterator[Server]:
    with ExitStack() as stack:
        yield Server(stack)


@pytest.fixture
def looked(server: Server) -> Looked:
    return Looked(server)


def is_ended(client: socket.socket) -> bool:
    client.settimeout(5)
    try:
        while client.recv(65_536):
            pass
    except ConnectionError:
        pass
    except TimeoutError:
        return False
    return True


def fill(server_end: socket.socket) -> None:
    """Writes until nothing more goes into the buffers."""
    server_end.setblocking(False)
    try:
        while True:
            server_end.send(b"x" * 65_536)
    except BlockingIOError:
        pass


def receive(client: socket.socket, length: int) -> None:
    while length > 0:
        length -= len(client.recv(min(length, 65_536)))


@pytest.mark.row("crowd")
@pytest.mark.parametrize(
    "sent", [b"", b"GET / HT", b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n{"]
)
def test_who_asks_nothing_whole_is_ended(server: Server, looked: Looked, sent: bytes) -> None:
    client, _ = server.connect()
    client.sendall(sent)
    assert looked.after(0) == 0
    assert looked.after(WINDOW_SECONDS - 1) == 0
    client.sendall(sent[:1])  # byte by byte is no progress either
    assert looked.after(1) == 1
    assert is_ended(client)
    assert looked.after(1) == 0


@pytest.mark.row("crowd")
def test_who_gets_something_in_each_window_stays(server: Server, looked: Looked) -> None:
    client, end = server.connect()
    for _ in range(5):
        assert looked.after(WINDOW_SECONDS) == 0
        end.sendall(b": still here\n\n")
        assert client.recv(100)


@pytest.mark.row("crowd")
@pytest.mark.parametrize(("bytes_read", "ended"), [(0, 1), (1, 1), (70_000, 1), (MUCH, 0)])
def test_who_reads_slowly_is_ended(
    server: Server, looked: Looked, bytes_read: int, ended: int
) -> None:
    client, end = server.connect()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
    fill(end)
    looked.after(0)
    read = 0
    while read < bytes_read:
        read += len(client.recv(min(bytes_read - read, 65_536)))
        fill(end)
    assert looked.after(WINDOW_SECONDS) == ended


def test_who_has_read_all_stays(server: Server, looked: Looked) -> None:
    client, end = server.connect()
    fill(end)
    looked.after(0)
    end.setblocking(True)
    client.settimeout(0.2)
    with pytest.raises(TimeoutError):
        receive(client, 10**9)
    assert looked.after(WINDOW_SECONDS) == 0


def test_one_that_was_closed_meanwhile_is_forgotten(server: Server, looked: Looked) -> None:
    client, end = server.connect()
    looked.after(0)
    client.close()
    end.close()
    assert looked.after(WINDOW_SECONDS) == 0
    assert looked._pace._windows == {}


def test_the_ports_of_this_process_are_known(server: Server) -> None:
    pair: Pair = server.connect()
    assert server.port in listening_ports()
    assert str(pair[0].getsockname()[1]) not in listening_ports()
    wait_until(lambda: len(list(connections(server.port))) == 1, "the connection")
