"""The inbox: an event enters the ledger once, and its task is started after the acknowledgement."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from nats.aio.client import Client

from api.events import broadcaster as api_feed
from api.events.update_consumer import UpdateConsumer
from api.extensions import EXTENSION, Services
from bench.harness.services import wait_until
from bridge import dead_letters
from bridge.connection import Connection
from bridge.consumer import Delivery
from bridge.events import MalformedEvent, UpdateFinished, UpdateRequested
from bridge.publisher import publish, publish_update_finished
from bridge.streams import EVENTS
from market.schedule.slots import Schedule
from tests.harness.queued_tasks import tasks

NOW = datetime.now(UTC).replace(microsecond=0)
HOURLY = Schedule("0 * * * *")


@pytest.fixture
def services(app: Flask) -> Services:
    made: Services = app.extensions[EXTENSION]
    made.schedule = HOURLY
    return made


@pytest.fixture
def inbox(services: Services) -> UpdateConsumer:
    return UpdateConsumer(services)


@pytest.fixture
def started(inbox: UpdateConsumer, connection: Connection) -> Iterator[UpdateConsumer]:
    """An inbox that consumes from a prepared stream."""
    inbox.start()
    yield inbox
    inbox.stop()


def delivery(name: str | None = None, sequence: int = 7) -> Delivery:
    return Delivery(UpdateRequested(name), sequence, NOW)


def test_an_event_is_entered_once(inbox: UpdateConsumer, services: Services, redis: str) -> None:
    event = UpdateRequested("a", NOW - timedelta(seconds=1))
    start = inbox.take(Delivery(event, 7, NOW))
    assert start is not None
    assert inbox.take(Delivery(event, 8, NOW)) is None
    update = services.ledger.get("a")
    assert update is not None
    assert (update["state"], update["trigger"], update["slot"]) == ("received", "event", None)
    assert update["hops"]["published"] == NOW - timedelta(seconds=1)
    assert update["hops"]["streamed"] == NOW
    assert tasks(redis) == []  # nothing is started before the acknowledgement
    start()
    assert tasks(redis) == ["a"]


def test_a_plain_event_is_known_by_its_place_in_the_stream(
    inbox: UpdateConsumer, services: Services
) -> None:
    assert inbox.take(delivery()) is not None
    assert inbox.take(delivery()) is None  # delivered again
    assert inbox.take(delivery(sequence=8)) is not None
    name = f"event-7-{NOW:%Y%m%dT%H%M%S}000000Z"
    update = services.ledger.get(name)
    assert update is not None
    assert "published" not in update["hops"]
    assert services.ledger.count() == 2


@pytest.mark.parametrize("seconds", [0, -3600 * 50])
def test_an_event_with_a_slot_s_id_is_the_schedule_s(
    inbox: UpdateConsumer, services: Services, seconds: int
) -> None:
    slot = HOURLY.current(NOW + timedelta(seconds=seconds))
    assert inbox.take(delivery(HOURLY.name(slot)))
    update = services.ledger.get(HOURLY.name(slot))
    assert update is not None
    assert (update["trigger"], update["slot"]) == ("schedule", slot)


@pytest.mark.parametrize("name", ["2026-11-22T08:31Z", "2026-13-01T00:00Z", "call-1"])
def test_other_ids_are_no_slots(inbox: UpdateConsumer, services: Services, name: str) -> None:
    assert inbox.take(delivery(name))
    update = services.ledger.get(name)
    assert update is not None
    assert (update["trigger"], update["slot"]) == ("event", None)


def test_a_request_over_http_is_known_by_its_id(inbox: UpdateConsumer, services: Services) -> None:
    assert inbox.take(delivery("request-1"))
    update = services.ledger.get("request-1")
    assert update is not None
    assert update["trigger"] == "request"


def test_a_slot_that_has_not_come_is_refused(inbox: UpdateConsumer, services: Services) -> None:
    name = HOURLY.name(HOURLY.current(NOW + timedelta(hours=2)))
    with pytest.raises(MalformedEvent, match=f"id {name} names a slot that has not come yet"):
        inbox.take(delivery(name))
    assert services.ledger.count() == 0


@pytest.mark.row("clock-ahead")
def test_an_event_takes_its_slot_over_from_an_entry_as_missed(
    inbox: UpdateConsumer, services: Services, redis: str
) -> None:
    slot = HOURLY.current(services.ledger.now())
    current, earlier = HOURLY.name(slot), HOURLY.name(HOURLY.earlier(slot, 1))
    services.ledger.enter_missed({current: slot, earlier: HOURLY.earlier(slot, 1)})
    # When
    start = inbox.take(delivery(current))
    # Then
    assert start is not None
    start()
    assert tasks(redis) == [current]
    assert inbox.take(delivery(current, 8)) is None
    assert inbox.take(delivery(earlier, 9)) is None  # that slot is over
    states = {update["_id"]: update["state"] for update in services.ledger.newest()}
    assert states == {current: "received", earlier: "missed"}


@pytest.mark.parametrize(("seconds", "taken"), [(1, True), (3, True), (7, False), (61, False)])
def test_a_slot_is_taken_at_most_5_s_ahead(
    inbox: UpdateConsumer, services: Services, seconds: int, taken: bool
) -> None:
    soon = services.ledger.now().replace(microsecond=0) + timedelta(seconds=seconds)
    services.schedule = Schedule(f"{soon.second} {soon.minute} {soon.hour} * * *")
    if taken:
        assert inbox.take(delivery(services.schedule.name(soon))) is not None
    else:
        with pytest.raises(MalformedEvent, match="at most 5 s before it does, by MongoDB's clock"):
            inbox.take(delivery(services.schedule.name(soon)))
    assert services.ledger.count() == taken


def test_events_of_the_stream_end_in_the_ledger_and_their_tasks_in_redis(
    started: UpdateConsumer, services: Services, connection: Connection, redis: str
) -> None:
    async def plain(client: Client) -> None:
        await client.publish("crypto.update", b'{"trigger":"update"}')

    async def left(client: Client) -> int:
        return (await client.jetstream().stream_info(EVENTS)).state.messages

    publish(connection, UpdateRequested("a"), message_id="a")
    publish(connection, UpdateRequested("a"))
    future = HOURLY.name(HOURLY.current(NOW + timedelta(hours=2)))
    publish(connection, UpdateRequested(future))
    connection.run(plain, 5)
    wait_until(lambda: len(tasks(redis)) == 2, "two tasks")
    wait_until(lambda: connection.run(left, 5) == 0, "an empty stream")
    names = tasks(redis)
    assert "a" in names
    assert services.ledger.known(names) == set(names)
    assert services.ledger.count() == 2
    (letter,) = dead_letters.newest(connection)
    assert letter.reason.startswith(f"id {future} names a slot that has not come yet")


def test_whoever_waits_is_told_that_the_update_ended(
    started: UpdateConsumer, services: Services, connection: Connection
) -> None:
    with services.waiters.place("a") as news:

        def told() -> bool:
            publish_update_finished(connection, UpdateFinished("a", "done", 3))
            return news.is_set()

        wait_until(told, "the news")


def test_whoever_listens_is_told_that_the_ledger_has_news(
    started: UpdateConsumer,
    services: Services,
    connection: Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(api_feed, "CHECK_SECONDS", 60)
    ledger = services.ledger
    publish(connection, UpdateRequested("b"))
    wait_until(lambda: ledger.get("b"), "the inbox to be at work")
    with services.broadcaster.place(), ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(services.broadcaster.after, 0, 10)
        ledger.enter_missed({"a": NOW})

        def told() -> bool:
            publish_update_finished(connection, UpdateFinished("a", "missed", 0))
            return waiting.done()

        wait_until(told, "the news")
    assert [event.number for event in waiting.result()] == [1]


@pytest.mark.parametrize("state", ["received", "done"])
def test_kept_answers_are_dropped_with_the_news(
    started: UpdateConsumer, services: Services, connection: Connection, state: str
) -> None:
    known = services.response_cache.generation

    def dropped() -> bool:
        publish_update_finished(connection, UpdateFinished("a", state, 3))
        return services.response_cache.generation > known

    wait_until(dropped, "a drop")
