"""The consumer: every event is handled and acknowledged, whatever dies in between."""

import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from nats.aio.client import Client
from nats.errors import Error as NatsError

from bench.harness.services import address, free_port, server, wait_until
from bridge import dead_letters, streams
from bridge.connection import Connection, NotConnected
from bridge.consumer import Consumer, Delivery, pause_after
from bridge.events import MalformedEvent, UpdateRequested
from bridge.publisher import publish
from bridge.streams import CONSUMER_CONFIG
from tests.harness.consumer import Handled, consuming, left

ROOT = Path(__file__).parents[2]
DYING = """
import sys, time
from bridge.connection import Connection
from bridge.consumer import Consumer
def handle(delivery):
    print(delivery.event.id, flush=True)
    time.sleep(600)
Consumer(Connection(sys.argv[1], "dying"), handle).start()
time.sleep(600)
"""


def emptied(connection: Connection) -> Callable[[], bool]:
    return lambda: left(connection) == (0, 0)


def send(connection: Connection, *payloads: bytes) -> None:
    async def work(client: Client) -> None:
        for payload in payloads:
            await client.jetstream().publish("crypto.update", payload)

    connection.run(work, 5)


@pytest.fixture
def other(nats: str) -> Iterator[Connection]:
    """A second process's connection."""
    with closing(Connection(nats, "other")) as made:
        yield made


def test_every_event_is_handled_once_and_gone(connection: Connection) -> None:
    names = [f"e{number}" for number in range(100)]
    handled = Handled()
    for name in names[:50]:
        publish(connection, UpdateRequested(name))
    with consuming(connection, handled):
        for name in names[50:]:
            publish(connection, UpdateRequested(name))
        wait_until(emptied(connection), "an empty stream")
    assert sorted(handled.ids, key=str) == sorted(names)
    by_sequence = sorted(handled.deliveries, key=lambda delivery: delivery.sequence)
    assert [delivery.sequence for delivery in by_sequence] == list(range(1, 101))
    assert all(abs(delivery.at.timestamp() - time.time()) < 30 for delivery in by_sequence)


def test_an_event_is_handled_at_once(connection: Connection) -> None:
    handled = Handled()
    with consuming(connection, handled):
        for number in range(3):
            started = time.monotonic()
            publish(connection, UpdateRequested(f"e{number}"))
            wait_until(lambda: len(handled.ids) == number + 1, "the event")  # noqa: B023
            assert time.monotonic() - started < 3


def test_what_the_handler_fails_at_comes_again(connection: Connection) -> None:
    handled = Handled()

    def fail_once(delivery: Delivery) -> None:
        handled(delivery)
        if len(handled.ids) == 1:
            raise ConnectionError("the ledger is out of reach")

    publish(connection, UpdateRequested("a"))
    with consuming(connection, fail_once):
        wait_until(emptied(connection), "an empty stream")
    assert handled.ids == ["a", "a"]
    assert handled.deliveries[0] == handled.deliveries[1]
    assert dead_letters.count(connection) == 0


@pytest.mark.row("killed-often")
def test_an_event_that_fails_again_and_again_never_waits_long() -> None:
    assert [pause_after(deliveries) for deliveries in (1, 2, 3, 4, 100)] == [0.5, 1, 1.5, 2, 2]


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b'{"trigger":"other"}', 'trigger is "other", only "update" is known'),
        (b"\x9c\xff" * 4000, "not valid JSON: UnicodeDecodeError"),
        (b"x" * 1024 * 1024, "1048576 bytes, an event has at most 65536"),
        (b"", "not valid JSON: JSONDecodeError"),
    ],
    ids=["other trigger", "noise", "1 MiB", "nothing"],
)
@pytest.mark.row("poison")
def test_poison_is_set_aside_and_the_next_event_served(
    connection: Connection, payload: bytes, reason: str
) -> None:
    handled = Handled()
    send(connection, b'{"trigger":"update","id":"a"}', payload, b'{"trigger":"update","id":"b"}')
    with consuming(connection, handled):
        wait_until(emptied(connection), "an empty stream")
    assert sorted(handled.ids, key=str) == ["a", "b"]
    (letter,) = dead_letters.newest(connection)
    assert letter.reason == reason
    assert (letter.sequence, letter.size) == (2, len(payload))
    assert letter.head == payload[:4096].decode("utf-8", "replace")
    assert abs(letter.at.timestamp() - time.time()) < 30


def test_what_the_handler_calls_malformed_is_set_aside(connection: Connection) -> None:
    def refuse(_: Delivery) -> None:
        raise MalformedEvent("id a names a slot that has not come yet")

    publish(connection, UpdateRequested("a"))
    with consuming(connection, refuse):
        wait_until(emptied(connection), "an empty stream")
    assert [one.reason for one in dead_letters.newest(connection)] == [
        "id a names a slot that has not come yet"
    ]


def test_two_consumers_share_the_work(connection: Connection, other: Connection) -> None:
    one, two = Handled(), Handled()
    with consuming(connection, one), consuming(other, two):
        # Each time, the one that is idle gets the next event.
        wait_until(
            lambda: publish(connection, UpdateRequested()) and one.ids and two.ids, "both to work"
        )
        wait_until(emptied(connection), "an empty stream")
    sequences = sorted(delivery.sequence for delivery in one.deliveries + two.deliveries)
    assert sequences == list(range(1, len(sequences) + 1))


def test_what_follows_is_called_once_the_event_is_gone(
    connection: Connection, other: Connection
) -> None:
    seen: list[tuple[int, int]] = []

    def fail() -> None:
        seen.append(left(other))
        raise RuntimeError("Redis is out of reach")

    publish(connection, UpdateRequested("a"))
    with consuming(connection, lambda _: fail):
        wait_until(lambda: seen, "what follows to be called")
        assert left(other) == (0, 0)  # its failure puts nothing back
        publish(connection, UpdateRequested("b"))
        wait_until(lambda: len(seen) == 2, "the next event")
    assert seen == [(0, 0), (0, 0)]


def test_stop_finishes_what_was_fetched_and_fetches_no_more(connection: Connection) -> None:
    handled, entered, go_on = Handled(), threading.Event(), threading.Event()

    def slow(delivery: Delivery) -> None:
        entered.set()
        assert go_on.wait(10)
        handled(delivery)

    publish(connection, UpdateRequested("a"))
    consumer = Consumer(connection, slow)
    consumer.start()
    assert entered.wait(10)
    stopping = threading.Thread(target=consumer.stop)
    stopping.start()
    publish(connection, UpdateRequested("b"))
    go_on.set()
    stopping.join(10)
    assert not stopping.is_alive()
    assert handled.ids == ["a"]
    # ... and what came to the fetch that was broken off goes to another at once
    another = Handled()
    with consuming(connection, another):
        before_ack_wait = (CONSUMER_CONFIG.ack_wait or 0) - 1
        wait_until(lambda: another.ids == ["b"], "the next event", before_ack_wait)


def test_stop_is_quick_when_idle_and_when_nats_is_down(tmp_path: Path) -> None:
    with server("nats", tmp_path) as (url, _), closing(Connection(url, "test")) as connection:
        consumer = Consumer(connection, Handled())
        consumer.start()
        wait_until(lambda: consumer._subscription, "the consumer to fetch")
        started = time.monotonic()
        consumer.stop()
        assert time.monotonic() - started < 3
    with closing(Connection(url, "test")) as connection:
        consumer = Consumer(connection, Handled())
        consumer.start()
        started = time.monotonic()
        consumer.stop()
        assert time.monotonic() - started < 4


@pytest.mark.row("api-killed")
def test_an_event_whose_process_died_goes_to_another(connection: Connection, nats: str) -> None:
    handled = Handled()
    publish(connection, UpdateRequested("a"))
    with subprocess.Popen(
        [sys.executable, "-c", DYING, nats], stdout=subprocess.PIPE, cwd=ROOT, text=True
    ) as dying:
        assert dying.stdout is not None
        assert dying.stdout.readline() == "a\n"
        dying.kill()
    started = time.monotonic()
    with consuming(connection, handled):
        wait_until(emptied(connection), "an empty stream")
    assert handled.ids == ["a"]
    assert time.monotonic() - started < 5 + 2  # the stream's ack_wait


def test_a_connection_that_was_closed_is_made_anew(
    connection: Connection, other: Connection
) -> None:
    # As nats-py closes it after an error of the server's that it takes for final.
    handled = Handled()
    with consuming(connection, handled) as consumer:
        wait_until(lambda: consumer._subscription, "the consumer to fetch")
        connection.run(lambda client: client.close(), 5)
        publish(other, UpdateRequested("a"))
        wait_until(lambda: handled.ids == ["a"], "the event")


@pytest.mark.parametrize("wiped", [False, True], ids=["with its data", "with its data wiped"])
@pytest.mark.row("nats-killed")
def test_consumption_goes_on_when_nats_comes_back(tmp_path: Path, wiped: bool) -> None:
    port = free_port()
    handled = Handled()

    def publishes(name: str) -> Callable[[], bool]:
        def look() -> bool:
            try:
                return connection.run(lambda c: _publish(c, name), 3) > 0
            except (NatsError, NotConnected, TimeoutError):
                return False

        return look

    with closing(Connection(address("nats", port), "test")) as connection:
        with server("nats", tmp_path, port):
            connection.run(streams.prepare, 5)
            consumer = Consumer(connection, handled)
            consumer.start()
            wait_until(publishes("a"), "a to be stored")
            wait_until(lambda: handled.ids == ["a"], "a to be handled")
        if wiped:
            shutil.rmtree(tmp_path / "data")
        with server("nats", tmp_path, port):
            wait_until(publishes("b"), "b to be stored", 20)
            wait_until(lambda: "b" in handled.ids, "b to be handled", 20)
            wait_until(emptied(connection), "an empty stream")
            consumer.stop()


async def _publish(client: Client, name: str) -> int:
    ack = await client.jetstream().publish("crypto.update", UpdateRequested(name).encode())
    return ack.seq


def test_more_events_than_may_wait_for_an_ack_are_taken_without_a_pause(
    connection: Connection, other: Connection
) -> None:
    # A fetch of many held what it had until it had all: 16 events in 5 s.
    handled = Handled()
    names = [f"event-{number}" for number in range(200)]
    for name in names:
        publish(connection, UpdateRequested(name))
    with consuming(connection, handled), consuming(other, handled):
        wait_until(lambda: len(handled.ids) >= len(names), "all of them", 10)
    assert sorted(map(str, handled.ids)) == sorted(names)
