"""What is wanted of the past: the time before the first quote, and the slots without an update."""

from datetime import UTC, datetime, timedelta

import pytest
from pymongo.database import Database

from bench.harness.services import keep, quote
from market.gap_repair.planner import Planner, backfill_start, merge_slots
from market.ledger.ledger import Ledger
from market.schedule.slots import Schedule
from market.storage.database import REPAIRS, Document
from market.storage.quote_store import QuoteStore

QUARTERS = Schedule("*/15 * * * *")
NOW = datetime(2026, 11, 22, 8, 37, tzinfo=UTC)
CURRENT = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)
QUARTER = timedelta(minutes=15)


@pytest.fixture
def planner(database: Database[Document]) -> Planner:
    return Planner(database, QUARTERS)


def wanted(database: Database[Document]) -> list[tuple[str, datetime, datetime]]:
    found = database[REPAIRS].find().sort("priority", 1)
    return [(one["coin"], one["start"], one["end"]) for one in found]


def ended(
    ledger: Ledger,
    slot: datetime,
    state: str,
    error: str | None = None,
    source: str | None = None,
) -> None:
    name = QUARTERS.name(slot)
    ledger.receive(name, trigger="schedule", slot=slot, hops={})
    claim = ledger.claim(name, "test", NOW)
    assert claim is not None
    ledger.close(claim, state=state, hops={}, counts={}, skipped=[], error=error, source=source)


@pytest.mark.parametrize(
    ("schedule", "hours"),
    [
        ("*/15 * * * *", 24 + 4 + 4),  # 96 slots of the last day, 4 hours for the rest
        ("*/30 * * * *", 24 + 52 + 4),
        ("0 * * * *", 24 + 76 + 4 + 0.5),  # from the hour on
        ("*/5 * * * *", 24),
        ("*/10 * * * * *", 24),
    ],
)
def test_the_backfill_reaches_back_for_a_hundred_points(schedule: str, hours: float) -> None:
    start = backfill_start(Schedule(schedule), CURRENT)
    assert CURRENT - start == timedelta(hours=hours)


def test_neighbouring_slots_are_one_stretch() -> None:
    slots = [CURRENT + n * QUARTER for n in (5, 0, 1, 2)]
    assert merge_slots(QUARTERS, slots) == [
        (CURRENT, CURRENT + 3 * QUARTER),
        (CURRENT + 5 * QUARTER, CURRENT + 6 * QUARTER),
    ]
    assert merge_slots(QUARTERS, []) == []


def test_each_coin_is_backfilled_once_the_pinned_first(
    planner: Planner, store: QuoteStore, database: Database[Document]
) -> None:
    # Given coins of which one is pinned, and one that is pinned by an id that was retired
    ranks = {"tether": 3, "ethereum": 2, "polygon-ecosystem-token": 40, "unranked": None}
    keep(store, *(quote(coin, 1.0, rank=rank) for coin, rank in ranks.items()))
    # When
    assert planner.run(["matic-network", "tether"], NOW) == 4
    # Then
    order = ["polygon-ecosystem-token", "tether", "ethereum", "unranked"]
    start = CURRENT - timedelta(hours=32)
    assert wanted(database) == [(coin, start, CURRENT) for coin in order]
    # and neither again, nor a second time for a coin that comes later
    assert planner.run([], NOW + timedelta(hours=1)) == 0
    keep(store, quote("new-coin", 1.0))
    assert planner.run([], NOW + timedelta(hours=1)) == 1


def test_slots_without_an_update_are_wanted_for_every_coin(
    planner: Planner, store: QuoteStore, ledger: Ledger, database: Database[Document]
) -> None:
    # Given coins whose backfill is wanted already
    keep(store, quote("bitcoin", 1.0, rank=1), quote("ethereum", 1.0, rank=2))
    planner.run([], NOW)
    database[REPAIRS].delete_many({})
    # When three slots failed or were missed, with a good one between, and one lost a part
    ended(ledger, CURRENT - 6 * QUARTER, "failed", "the source was down")
    ledger.enter_missed({QUARTERS.name(s): s for s in [CURRENT - 5 * QUARTER]})
    ended(ledger, CURRENT - 4 * QUARTER, "done")
    ended(ledger, CURRENT - 3 * QUARTER, "done", "a page failed")
    ended(ledger, CURRENT - 2 * QUARTER, "done")
    # Then
    assert planner.run([], NOW) == 4
    first = (CURRENT - 6 * QUARTER, CURRENT - 4 * QUARTER)
    second = (CURRENT - 3 * QUARTER, CURRENT - 2 * QUARTER)
    assert {(start, end) for _, start, end in wanted(database)} == {first, second}
    assert {coin for coin, _, _ in wanted(database)} == {"bitcoin", "ethereum"}
    assert planner.run([], NOW) == 0


def test_an_outage_is_one_stretch_and_waits_for_its_end(
    planner: Planner, store: QuoteStore, ledger: Ledger, database: Database[Document]
) -> None:
    # Given a source that is down for twelve hours, seen slot by slot; a second one stands in twice
    keep(store, quote("bitcoin", 1.0))
    planner.run([], NOW)
    database[REPAIRS].delete_many({})
    for number in range(48, 0, -1):
        failed = number not in (20, 30)
        ended(
            ledger,
            CURRENT - number * QUARTER,
            "failed" if failed else "done",
            "it was down",
            None if failed else "coinpaprika",
        )
        assert planner.run([], CURRENT - (number - 1) * QUARTER) == 0
    # When it is back
    ended(ledger, CURRENT, "done")
    # Then one repair is enough
    assert planner.run([], NOW) == 1
    assert wanted(database) == [("bitcoin", CURRENT - 48 * QUARTER, CURRENT)]
    assert planner.run([], NOW) == 0


def test_the_current_slot_may_still_succeed(
    planner: Planner, store: QuoteStore, ledger: Ledger, database: Database[Document]
) -> None:
    keep(store, quote("bitcoin", 1.0))
    planner.run([], NOW)
    database[REPAIRS].delete_many({})
    # Given the current slot's update, failed
    ended(ledger, CURRENT, "failed", "the source was down")
    assert planner.run([], NOW) == 0
    # When its slot is over, and the next one has quotes
    ended(ledger, CURRENT + QUARTER, "done")
    assert planner.run([], NOW + QUARTER) == 1
    assert wanted(database) == [("bitcoin", CURRENT, CURRENT + QUARTER)]


def test_a_slot_that_was_tried_again_with_success_is_no_gap(
    planner: Planner, store: QuoteStore, ledger: Ledger
) -> None:
    keep(store, quote("bitcoin", 1.0))
    planner.run([], NOW)
    ended(ledger, CURRENT, "failed", "the source was down")
    assert ledger.reopen(QUARTERS.name(CURRENT), failed=True)
    claim = ledger.claim(QUARTERS.name(CURRENT), "test", NOW)
    assert claim is not None
    ledger.close(claim, state="done", hops={}, counts={}, skipped=[], error=None)
    assert planner.run([], NOW + QUARTER) == 0


def test_a_plan_that_was_lost_halfway_is_made_again(
    planner: Planner, store: QuoteStore, ledger: Ledger, database: Database[Document]
) -> None:
    # Given a plan whose end was not noted
    keep(store, quote("bitcoin", 1.0))
    ended(ledger, CURRENT - QUARTER, "failed", "down")
    ended(ledger, CURRENT, "done")
    assert planner.run([], NOW) == 2
    database["plan"].delete_many({})
    database["coins"].update_many({}, {"$unset": {"backfill_from": 1}})
    # When, then
    assert planner.run([], NOW) == 0
    assert len(wanted(database)) == 2
