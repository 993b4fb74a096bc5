"""Reliability: a NATS connection is half open: its other end is silent, but nothing says so."""

import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
from nats.aio.client import Client

from bench.harness.services import address, freeze, server, wait_until
from bridge import connection as bridge_connection
from bridge import consumer as bridge_consumer
from bridge import streams
from bridge.connection import PING_SECONDS, Connection
from bridge.consumer import FETCH_SECONDS, Consumer, Delivery
from bridge.events import UpdateRequested
from bridge.publisher import publish
from bridge.streams import EVENTS

PINGS = 4  # one is due, two may stay unanswered, the next one ends it
NOTICED = PINGS * PING_SECONDS / 10
ACK_WAIT = streams.CONSUMER_CONFIG.ack_wait or 0
MADE_ANEW = 2.0


class Way:
    """A way to NATS by which, once it is cut, no byte of the connections so far comes through."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._dead: set[socket.socket] = set()
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()
        self.url = address("nats", self._listener.getsockname()[1])

    def cut(self) -> None:
        """From now on what is open is silent in both directions; a new connection is not."""
        self._dead |= self._open

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            nats = socket.create_connection(("127.0.0.1", self._port))
            self._open |= {client, nats}
            for ends in ((client, nats), (nats, client)):
                self._threads.append(threading.Thread(target=self._pump, args=ends))
                self._threads[-1].start()

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if source not in self._dead:
                    target.sendall(data)
        if source not in self._dead:
            with suppress(OSError):
                target.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Ends all of it."""
        for one in (self._listener, *self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for one in (self._listener, *self._open):
            one.close()


@contextmanager
def consuming(connection: Connection, handled: list[str | None]) -> Iterator[None]:
    def handle(delivery: Delivery) -> None:
        handled.append(delivery.event.id)

    consumer = Consumer(connection, handle)
    consumer.start()
    try:
        yield
    finally:
        consumer.stop()


async def its_client(client: Client) -> Client:
    await client.flush(timeout=1)
    return client


async def stored(client: Client) -> int:
    return (await client.jetstream().stream_info(EVENTS)).state.messages


@pytest.fixture(autouse=True)
def tenfold(monkeypatch: pytest.MonkeyPatch) -> None:
    """All goes ten times as fast as in use: 20 s become 2 s."""
    assert PINGS * PING_SECONDS <= 20
    monkeypatch.setattr(bridge_connection, "PING_SECONDS", PING_SECONDS / 10)
    monkeypatch.setattr(bridge_consumer, "FETCH_SECONDS", FETCH_SECONDS / 10)
    monkeypatch.setattr(streams.CONSUMER_CONFIG, "ack_wait", ACK_WAIT / 10)


@pytest.mark.row("nats-half-open")
def test_an_event_of_the_silence_is_handled_over_a_new_connection(
    connection: Connection, nats: str
) -> None:
    # Given a consumer whose connection falls silent
    handled: list[str | None] = []
    way = Way(int(nats.rpartition(":")[2]))
    # The way ends first: then nobody waits for an answer.
    with closing(Connection(way.url, "far")) as far, consuming(far, handled), closing(way):
        publish(connection, UpdateRequested("before"))
        wait_until(lambda: handled and connection.run(stored, 5) == 0, "the first event to be gone")
        way.cut()
        # When an event comes, which the server gives to the open fetch
        publish(connection, UpdateRequested("after"))
        # Then it comes again, over a connection that carries it
        wait_until(lambda: "after" in handled, "the event", NOTICED + MADE_ANEW)
    assert handled == ["before", "after"]


# nats-py does not close what it had opened when a try to connect again gets no answer.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.row("nats-half-open")
def test_a_nats_that_froze_is_not_taken_for_connected(tmp_path: Path) -> None:
    with server("nats", tmp_path) as (url, process), closing(Connection(url, "test")) as connection:
        connection.run(streams.prepare, 5)
        client = connection.run(its_client, 5)
        freeze(process)
        wait_until(lambda: not client.is_connected, "the silence to be noticed", NOTICED)
        process.send_signal(signal.SIGCONT)
        publish(connection, UpdateRequested("a"), message_id="a")
        assert connection.run(stored, 5) == 1
