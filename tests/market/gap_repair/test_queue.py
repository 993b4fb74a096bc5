"""Repairs in MongoDB: each wanted once, claimed once, ended once; and what they store."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from pymongo.database import Database

from market.gap_repair.matching import RepairedSlot
from market.gap_repair.queue import MAX_ATTEMPTS, Repair, RepairQueue, RepairRequest
from market.ledger.claims import LeaseLost
from market.schedule.clock import elapsed
from market.sources.coingecko import Point
from market.storage.database import REPAIRED, REPAIRS, Document

START = datetime(2026, 11, 20, tzinfo=UTC)
END = START + timedelta(hours=6)
NOW = datetime.now(UTC)


@pytest.fixture
def repairs(database: Database[Document]) -> RepairQueue:
    return RepairQueue(database)


def claimed(repairs: RepairQueue) -> Repair:
    repair = repairs.claim()
    assert repair is not None
    return repair


def state(database: Database[Document], coin: str = "bitcoin") -> Document:
    found = database[REPAIRS].find_one({"coin": coin})
    assert found is not None
    return found


def test_the_same_stretch_is_wanted_once(repairs: RepairQueue) -> None:
    wanted = [RepairRequest("bitcoin", START, END, 0), RepairRequest("ethereum", START, END, 1)]
    assert repairs.add(wanted, NOW) == 2
    assert repairs.add([*wanted, RepairRequest("bitcoin", START, NOW, 0)], NOW) == 1
    assert repairs.add([], NOW) == 0
    assert (repairs.count(), repairs.count(coin="bitcoin", state="waiting")) == (3, 2)


def test_the_most_urgent_and_newest_goes_first_and_each_once(repairs: RepairQueue) -> None:
    repairs.add(
        [
            RepairRequest("later", START, END, 5),
            RepairRequest("older", START - timedelta(days=1), END, 1),
            RepairRequest("newer", START, END, 1),
        ],
        NOW,
    )
    assert [claimed(repairs).coin for _ in range(3)] == ["newer", "older", "later"]
    assert repairs.claim() is None


def test_what_its_worker_left_is_claimed_again(
    repairs: RepairQueue, database: Database[Document]
) -> None:
    # Given a repair whose lease is over
    repairs.add([RepairRequest("bitcoin", START, END, 0)], NOW)
    first = claimed(repairs)
    database[REPAIRS].update_one({}, {"$set": {"lease_until": NOW - timedelta(hours=1)}})
    # When
    second = claimed(repairs)
    # Then the first one's end counts no more
    assert (second.fence, second.attempts) == (2, 2)
    with pytest.raises(LeaseLost, match="another worker claimed repair bitcoin"):
        repairs.finish(first, empty=1, repaired={}, now=NOW)
    assert state(database)["state"] == "running"
    repairs.finish(second, empty=4, repaired={"300": 3}, now=NOW)
    ended = state(database)
    assert (ended["state"], ended["empty"], ended["mended"]) == ("done", 4, {"300": 3})
    assert repairs.claim() is None


def test_what_failed_is_tried_again_later_and_ends_at_last(
    repairs: RepairQueue, database: Database[Document]
) -> None:
    repairs.add([RepairRequest("bitcoin", START, END, 0)], NOW)
    pauses = []
    for _ in range(MAX_ATTEMPTS):
        repair, now = claimed(repairs), datetime.now(UTC)
        repairs.postpone(repair, "broken", None, now)
        after = state(database)
        if after["state"] == "failed":
            break
        assert repairs.claim() is None
        pauses.append((after["not_before"] - now).total_seconds())
        database[REPAIRS].update_one({}, {"$set": {"not_before": None}})
    assert pauses == pytest.approx([30, 60, 120, 240, 480], abs=0.01)
    assert (state(database)["state"], state(database)["error"]) == ("failed", "broken")


def test_a_wait_that_the_source_asks_for_is_no_try(
    repairs: RepairQueue, database: Database[Document]
) -> None:
    repairs.add([RepairRequest("bitcoin", START, END, 0)], NOW)
    for _ in range(MAX_ATTEMPTS + 2):
        repairs.postpone(claimed(repairs), "wait", 60.0, NOW)
        assert repairs.claim() is None
        past = datetime.now(UTC) - timedelta(seconds=1)
        database[REPAIRS].update_one({}, {"$set": {"not_before": past}})
    assert state(database)["state"] == "waiting"
    assert state(database)["tries"] == 0


def test_a_wait_from_before_the_clock_went_back_is_over(
    repairs: RepairQueue, database: Database[Document]
) -> None:
    repairs.add([RepairRequest("bitcoin", START, END, 0)], NOW)
    repairs.postpone(claimed(repairs), "wait", 60.0, NOW)
    ahead = datetime.now(UTC) + timedelta(hours=12)
    database[REPAIRS].update_one({}, {"$set": {"not_before": ahead}})
    assert repairs.claim() is not None


def test_a_repair_that_was_frozen_for_longer_than_its_lease_stores_nothing(
    repairs: RepairQueue, database: Database[Document]
) -> None:
    repairs.add([RepairRequest("bitcoin", START, END, 0)], NOW)
    late = replace(claimed(repairs), asked=elapsed() - RepairQueue.lease_seconds)
    mended = [RepairedSlot(START, Point(START, 1.0, None, None), 300)]
    with pytest.raises(LeaseLost, match="the lease on repair bitcoin"):
        repairs.store(late, mended, source="simulator", now=NOW)
    assert database[REPAIRED].count_documents({}) == 0


def test_a_point_is_stored_once_as_it_came(
    repairs: RepairQueue, database: Database[Document]
) -> None:
    point = Point(START + timedelta(seconds=7, milliseconds=3), 0.1 + 0.2, None, 5.0)
    mended = [RepairedSlot(START, point, 300)]
    repairs.add([RepairRequest("bitcoin", START, END, 0)], NOW)
    repair = claimed(repairs)
    assert repairs.store(repair, mended, source="simulator", now=NOW) == 1
    assert repairs.store(repair, mended, source="simulator", now=NOW) == 0
    assert repairs.store(repair, [], source="simulator", now=NOW) == 0
    [stored] = database[REPAIRED].find()
    assert stored["_id"] == {"coin": "bitcoin", "at": point.at}
    assert (stored["price"], stored["volume_24h"], stored["resolution"]) == (0.1 + 0.2, 5.0, 300)
    assert stored["source"] == "simulator"
