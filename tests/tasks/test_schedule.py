"""The schedule's tasks: each slot has one event, and nothing that was accepted is forgotten."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis as redis_client

from bridge.connection import Connection
from market.ledger import missed_slots
from market.model.documents import Update
from market.schedule.slots import Schedule
from tasks import schedule
from tasks.dependencies import Services
from tests.harness.schedule import CURRENT, YEARLY, call, events, name, on

__all__ = ["on"]


def started(redis: str) -> list[str]:
    """The ids of the updates whose tasks wait in Redis."""
    with redis_client.Redis.from_url(redis) as client:
        waiting = [json.loads(message) for message in client.lrange("updates", 0, -1)]
    return [one["headers"]["argsrepr"].strip("(),'") for one in reversed(waiting)]


def enter(on: Services, slots_ago: int, state: str = "done") -> None:
    slot = YEARLY.earlier(CURRENT, slots_ago)
    on.ledger.receive(name(slots_ago), trigger="schedule", slot=slot, hops={})
    Update.objects(id=name(slots_ago)).update(
        set__state=state, set__received_at=slot, set__finished_at=slot
    )


def states(on: Services) -> dict[str, str]:
    return {update["_id"]: update["state"] for update in on.ledger.newest(limit=100)}


@pytest.mark.row("beat-killed")
def test_a_slot_s_event_is_published_once(on: Services, connection: Connection) -> None:
    assert (
        call(schedule.publish_update, scheduled=True)
        == call(schedule.publish_update, scheduled=True)
        == name(0)
    )
    (event,) = events(connection)
    assert event.id == name(0)
    assert event.timestamp is not None
    assert datetime.now(UTC) - event.timestamp < timedelta(seconds=10)


def test_each_call_by_hand_is_an_event_of_its_own(on: Services, connection: Connection) -> None:
    names = [call(schedule.publish_update), call(schedule.publish_update)]
    assert [event.id for event in events(connection)] == names
    assert len(set(names)) == 2
    assert all(YEARLY.parse(one) is None for one in names)


@pytest.mark.row("redis-killed")
def test_a_slot_whose_event_was_lost_is_published_again(
    on: Services, connection: Connection
) -> None:
    call(
        schedule.publish_update, scheduled=True
    )  # its ledger entry is lost, JetStream still knows its id
    call(schedule.ensure_slot)
    assert [event.id for event in events(connection)] == [name(0), name(0)]
    assert states(on) == {}  # nothing ran before: nothing was missed


@pytest.mark.parametrize("state", ["received", "running", "done"])
def test_a_slot_that_is_cared_for_is_left_alone(
    on: Services, connection: Connection, redis: str, state: str
) -> None:
    enter(on, 0, state)
    call(schedule.ensure_slot)
    assert states(on) == {name(0): state}
    assert events(connection) == []
    assert started(redis) == []


@pytest.mark.row("clock-ahead")
@pytest.mark.parametrize(
    ("task", "arguments"), [("ensure_slot", {}), ("publish_update", {"scheduled": True})]
)
def test_the_current_slot_is_carried_out_though_it_was_entered_as_missed(
    on: Services, redis: str, connection: Connection, task: str, arguments: dict[str, bool]
) -> None:
    # As by a clock that ran ahead
    on.ledger.enter_missed({name(0): CURRENT, name(1): YEARLY.earlier(CURRENT, 1)})
    call(getattr(schedule, task), **arguments)
    assert states(on) == {name(0): "received", name(1): "missed"}
    assert started(redis) == [name(0)]
    assert events(connection) == []


@pytest.mark.row("clock-ahead")
def test_what_was_carried_out_ahead_of_its_slot_is_marked(on: Services) -> None:
    enter(on, -1)
    enter(on, 0)
    call(schedule.ensure_slot)
    early = {update["_id"]: update.get("early") for update in on.ledger.newest()}
    assert early == {name(-1): True, name(0): None}


@pytest.mark.row("clock-ahead")
def test_a_host_whose_clock_is_ahead_enters_no_slot_as_missed(
    on: Services, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a process whose own clock is three slots ahead of MongoDB's
    class Ahead(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.now(tz) + timedelta(days=3 * 366)

    monkeypatch.setattr(schedule, "datetime", Ahead)
    enter(on, 1)
    call(schedule.ensure_slot)
    call(schedule.publish_update, scheduled=True)
    assert states(on) == {name(1): "done"}
    assert {event.id for event in events(connection)} == {name(0)}


@pytest.mark.parametrize(
    ("ago", "due"),
    [(0, 0), (1, 0), (-1, 0), (-3, 0)],
)
def test_of_beat_and_mongodb_who_disagree_mongodb_is_right(
    on: Services, connection: Connection, ago: int, due: int
) -> None:
    assert call(schedule.publish_update, scheduled=True, slot=name(ago)) == name(due)


def test_a_beat_that_is_a_little_early_means_the_next_slot(on: Services) -> None:
    # Given a slot that begins in 3 s
    soon = on.ledger.now().replace(microsecond=0) + timedelta(seconds=3)
    on.schedule = Schedule(f"{soon.second} {soon.minute} {soon.hour} * * *")
    meant = on.schedule.name(soon)
    assert call(schedule.publish_update, scheduled=True, slot=meant) == meant
    assert call(schedule.publish_update, scheduled=True) != meant


def test_the_current_slot_is_tried_again_if_it_failed(on: Services, redis: str) -> None:
    enter(on, 1, "failed")
    enter(on, 0, "failed")
    call(schedule.ensure_slot)
    assert states(on) == {name(0): "received", name(1): "failed"}
    assert started(redis) == [name(0)]
    call(schedule.ensure_slot)
    assert started(redis) == [name(0)]


@pytest.mark.row("redis-killed")
@pytest.mark.row("hours-missed")
def test_older_slots_are_entered_as_missed(on: Services, connection: Connection) -> None:
    enter(on, 4)
    call(schedule.ensure_slot)
    missed = {name(ago): "missed" for ago in (1, 2, 3)}
    assert states(on) == {name(4): "done", **missed}
    assert [event.id for event in events(connection)] == [name(0)]


def test_older_slots_are_entered_though_the_current_one_is_there(on: Services) -> None:
    # As beat makes it at its start, long before the first minute is over.
    enter(on, 3)
    enter(on, 0)
    call(schedule.ensure_slot)
    assert states(on) == {name(3): "done", name(2): "missed", name(1): "missed", name(0): "done"}


@pytest.mark.row("hours-missed")
def test_a_long_outage_is_entered_piece_by_piece(
    on: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(missed_slots, "MAX_MISSED", 3)
    enter(on, 9)
    counts = []
    for _ in range(4):
        call(schedule.ensure_slot)
        counts.append(list(states(on).values()).count("missed"))
    assert counts == [3, 6, 8, 8]


def test_sweep_starts_what_was_lost(on: Services, redis: str) -> None:
    ago = datetime.now(UTC) - timedelta(seconds=6)
    for one in ("new", "lost", "orphaned", "postponed", "closed"):
        on.ledger.receive(one, trigger="event", slot=None, hops={})
    assert on.ledger.claim("orphaned", "a dead worker", ago)
    Update.objects(id__ne="new").update(set__received_at=ago)
    Update.objects(id="orphaned").update(set__lease_until=ago)
    Update.objects(id="postponed").update(set__not_before=ago + timedelta(seconds=60))
    Update.objects(id="closed").update(set__state="done")
    call(schedule.sweep)
    assert sorted(started(redis)) == ["lost", "orphaned"]
    call(schedule.sweep)
    assert len(started(redis)) == 2  # each is given out once in a while
