"""The connection that an answer goes over: found, cut, and ended when its reader stalls."""

import errno
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import psutil
import pytest

from api.exports import connection_abort as api_wire
from api.exports.connection_abort import HEAD_BYTES, ResponseConnection, chunk_bytes
from tests.harness.tcp_pair import Server

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")

BODY = 100_000


@pytest.fixture
def server() -> Iterator[Server]:
    with ExitStack() as stack:
        yield Server(stack)


def read(client: socket.socket) -> bytes:
    """All that comes until the other end is closed."""
    return b"".join(iter(lambda: client.recv(65_536), b""))


def test_the_connection_that_carried_the_answer_is_cut_and_no_other(server: Server) -> None:
    # Given three connections, one of which has carried more before
    before, answer, other = (server.connect() for _ in range(3))
    before[1].sendall(b"a" * BODY)
    wire = ResponseConnection(server.port)
    # When one carries an answer, and another what is shorter
    answer[1].sendall(b"head" + b"b" * BODY)
    other[1].sendall(b"head" + b"c" * (BODY - HEAD_BYTES))
    assert wire.abort(BODY)
    # Then that one has ended, after all that was sent
    assert read(answer[0]) == b"head" + b"b" * BODY
    for client, end in (before, other):
        end.sendall(b"still here")
        assert client.recv(1) in {b"a", b"h"}


def test_bytes_that_come_late_are_waited_for(server: Server) -> None:
    client, end = server.connect()
    wire = ResponseConnection(server.port)
    late = threading.Timer(0.2, end.sendall, [b"head" + b"a" * BODY])
    late.start()
    assert wire.abort(BODY)
    late.join()
    assert len(read(client)) == BODY + 4


def test_of_like_answers_each_is_cut(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_wire, "FIND_SECONDS", 0.2)
    pairs = [server.connect() for _ in range(2)]
    wire = ResponseConnection(server.port)
    for _, end in pairs:
        end.sendall(b"head" + b"a" * BODY)
    assert wire.abort(BODY)
    assert [len(read(client)) for client, _ in pairs] == [BODY + 4] * 2


def test_what_is_not_found_is_not_cut(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_wire, "FIND_SECONDS", 0.1)
    server.connect()
    wire = ResponseConnection(server.port)
    client, end = server.connect()  # later than the answer began
    end.sendall(b"head" + b"a" * BODY)
    assert not wire.abort(BODY)
    assert not ResponseConnection("1").abort(BODY)
    assert client.recv(4) == b"head"


def test_a_reader_that_stalls_is_ended(server: Server) -> None:
    client, end = server.connect()
    ResponseConnection(server.port, stall_seconds=0.5)
    end.settimeout(20)
    with pytest.raises(TimeoutError) as ended:
        while True:  # until its buffers are full, then for half a second
            end.sendall(b"a" * BODY)
    assert ended.value.errno == errno.ETIMEDOUT  # the kernel's, not the 20 s of this test
    client.close()


def test_where_the_system_tells_nothing_nothing_is_found(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.connect()
    monkeypatch.setattr(psutil.Process, "net_connections", _denied)
    assert not ResponseConnection(server.port).abort(BODY)


def _denied(*_: object) -> None:
    raise psutil.AccessDenied


def test_framing_is_that_of_a_chunked_body() -> None:
    assert chunk_bytes(b"") == len("0\r\n\r\n")
    assert chunk_bytes(b"a" * 15) == len("f\r\n\r\n") + 15
    assert chunk_bytes(b"a" * 16) == len("10\r\n\r\n") + 16
