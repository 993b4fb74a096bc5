"""The publisher: an acknowledged event is stored once, whatever happens to NATS around it."""

import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
from nats.aio.client import Client

from bench.harness.services import address, free_port, server, wait_until
from bridge import streams
from bridge.connection import Connection
from bridge.events import UpdateFinished, UpdateRequested
from bridge.publisher import NotPublished, publish, publish_update_finished
from bridge.streams import EVENTS


def ids(connection: Connection) -> list[str | None]:
    """The ids of all events in the stream, in its order."""

    async def work(client: Client) -> list[str | None]:
        js = client.jetstream()
        state = (await js.stream_info(EVENTS)).state
        messages = [
            await js.get_msg(EVENTS, sequence)
            for sequence in range(max(state.first_seq, 1), state.last_seq + 1)
        ]
        return [UpdateRequested.decode(message.data or b"").id for message in messages]

    return connection.run(work, 10)


@contextmanager
def deaf_once(port: int) -> Iterator[str]:
    """A way to NATS on which the first acknowledgement of a publish is lost, connection and all."""
    lost = threading.Event()

    def pump(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):  # the other direction has ended
            while data := source.recv(65536):
                if b'"stream":"CRYPTO"' in data and not lost.is_set():
                    lost.set()
                    break
                target.sendall(data)
        for side in (source, target):
            with suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)

    def accept() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with client, socket.create_connection(("127.0.0.1", port)) as nats:
                back = threading.Thread(target=pump, args=(nats, client))
                back.start()
                pump(client, nats)
                back.join()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield address("nats", listener.getsockname()[1])
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
    assert lost.is_set(), "no acknowledgement came by"


def test_events_are_stored_in_their_order(connection: Connection) -> None:
    assert [publish(connection, UpdateRequested(name)) for name in "abc"] == [1, 2, 3]
    assert ids(connection) == ["a", "b", "c"]


def test_one_message_id_makes_one_event(connection: Connection) -> None:
    first = publish(connection, UpdateRequested("a"), message_id="a")
    assert publish(connection, UpdateRequested("a"), message_id="a") == first
    publish(connection, UpdateRequested("a"))  # without it, each is an event of its own
    assert ids(connection) == ["a", "a"]


@pytest.mark.row("bridge-killed")
def test_a_lost_acknowledgement_makes_no_second_event(connection: Connection, nats: str) -> None:
    port = int(nats.rpartition(":")[2])
    with deaf_once(port) as url, closing(Connection(url, "test")) as deaf:
        assert publish(deaf, UpdateRequested("a"), message_id="a") == 1
    assert ids(connection) == ["a"]


@pytest.mark.row("nats-killed")
def test_nats_killed_while_publishing_has_each_event_once(tmp_path: Path) -> None:
    port = free_port()
    acked: list[str] = []
    stop = threading.Event()

    def keep_publishing() -> None:
        while not stop.is_set():
            name = f"e{len(acked)}"
            publish(connection, UpdateRequested(name), message_id=name, within=20)
            acked.append(name)

    thread = threading.Thread(target=keep_publishing)
    with closing(Connection(address("nats", port), "test")) as connection:
        for life in range(3):
            with server("nats", tmp_path, port) as (_, process):
                if life == 0:
                    connection.run(streams.prepare, 5)
                    thread.start()
                known = len(acked)
                wait_until(lambda: len(acked) > known + 20, "events to be acknowledged")  # noqa: B023
                if life == 2:
                    stop.set()
                    thread.join(20)
                    found = ids(connection)
                process.send_signal(signal.SIGKILL)
    assert found == acked


@pytest.mark.parametrize("was_up", [False, True])
def test_without_nats_it_gives_up_in_time(tmp_path: Path, was_up: bool) -> None:
    port = free_port()
    with closing(Connection(address("nats", port), "test")) as connection:
        if was_up:
            with server("nats", tmp_path, port):
                connection.run(streams.prepare, 5)
        started = time.monotonic()
        with pytest.raises(NotPublished, match=r"NATS acknowledged no event within \d s: \w"):
            publish(connection, UpdateRequested("a"), within=1)
        assert time.monotonic() - started < 1 + 2.5 + 1  # the last try is one that began in time


def test_a_nats_without_the_stream_acknowledges_nothing(nats: str) -> None:
    with closing(Connection(nats, "test")) as connection, pytest.raises(NotPublished):
        publish(connection, UpdateRequested("a"), within=0.5)


def test_a_stream_that_is_made_meanwhile_gets_the_event(nats: str) -> None:
    with closing(Connection(nats, "test")) as connection, ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(publish, connection, UpdateRequested("a"), within=15)
        with pytest.raises(TimeoutError):
            waiting.result(0.3)
        connection.run(streams.prepare, 5)
        assert waiting.result(15) == 1


def test_an_announcement_to_a_nats_that_is_down_is_told() -> None:
    url = f"nats://127.0.0.1:{free_port()}"
    with (
        closing(Connection(url, "test")) as connection,
        pytest.raises(NotPublished, match=r"crypto\.updated was not published: "),
    ):
        publish_update_finished(connection, UpdateFinished("a", "done", 1))
