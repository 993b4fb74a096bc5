"""Originals deleted: candles stay the same to the digit, and what a deviation needs is kept."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from pymongo.database import Database
from pymongo.errors import OperationFailure

from bench.harness.services import quote
from market.model.candle import DAY, HOUR, floor_to
from market.rollups.candle_pages import CandlePages
from market.rollups.retention import Retention
from market.storage.database import DAILY, HOURLY, MARKS, QUOTES, REPAIRED, ROLLUPS, Document
from market.storage.quote_history import QuoteHistory
from market.storage.quote_store import QuoteStore
from market.storage.watermarks import Watermarks
from tests.harness.coin_history_data import COINS, END, START, asked, document, fill
from tests.harness.rollup import roll_up

EDGE = END - 10 * DAY


@pytest.fixture
def filled(database: Database[Document]) -> Database[Document]:
    fill(database)
    return database


def delete(database: Database[Document], edge: datetime | None = EDGE) -> int:
    """All steps for bitcoin; how many."""
    retention, count = Retention(database), 0
    while retention.step("bitcoin", edge):
        count += 1
        assert count < 50
    return count


def oldest(database: Database[Document], name: str) -> datetime:
    first: Document = next(database[name].find({"_id.coin": "bitcoin"}).sort("_id", 1))
    return first["_id"]["at"]  # type: ignore[no-any-return]


@pytest.mark.parametrize("rolled_up", [True, False])
def test_candles_are_the_same_before_and_after(filled: Database[Document], rolled_up: bool) -> None:
    before = asked(filled)
    if rolled_up:
        roll_up(filled)
    count = filled[QUOTES].count_documents({})
    assert delete(filled) >= 2
    assert asked(filled) == before
    mark = Watermarks(filled).of("bitcoin")
    assert mark.kept_from is not None
    assert mark.exact_from == EDGE
    assert mark.kept_from <= oldest(filled, QUOTES) < mark.kept_from + DAY
    assert mark.kept_from <= oldest(filled, REPAIRED)
    assert filled[QUOTES].count_documents({}) < count * 0.8
    of_the_other = {"_id.coin": COINS[1]}
    assert filled[QUOTES].count_documents(of_the_other) > count * 0.45
    # and later
    roll_up(filled)
    assert delete(filled) == 0
    delete(filled, EDGE + 3 * DAY)
    assert asked(filled) == before


@pytest.mark.parametrize("repaired", [False, True])
def test_what_was_known_at_any_time_since_the_edge_can_be_told(
    filled: Database[Document], repaired: bool
) -> None:
    history = QuoteHistory(filled)

    def told() -> list[Any]:
        moments = [EDGE + n * timedelta(hours=7) for n in range(0, 34, 3)] + [None]
        return [
            history.records("bitcoin", limit=100, repaired=repaired, as_of=moment)
            for moment in moments
        ]

    before = told()
    delete(filled)
    assert told() == before
    assert {len(one) for one in before} == {100}


@pytest.mark.parametrize(("count", "kept"), [(99, 99), (100, 100), (500, 120)])
def test_a_coin_with_few_records_keeps_its_newest_100(
    database: Database[Document], count: int, kept: int
) -> None:
    # All long before the edge: an hour apart, to the end of a day
    last = floor_to(START, DAY) - timedelta(minutes=15)
    database[QUOTES].insert_many([document("bitcoin", last - n * HOUR, 1.0) for n in range(count)])
    delete(database)
    assert database[QUOTES].count_documents({}) == kept


def test_a_quote_that_comes_after_the_deletion_is_in_the_candles(
    filled: Database[Document],
) -> None:
    all_of_them = {name: list(filled[name].find()) for name in (QUOTES, REPAIRED)}
    delete(filled)
    day = floor_to(START, DAY) + 3 * DAY
    late = [
        quote("bitcoin", price, day + after, volume_24h=1.0)
        for price, after in (
            (7e5, timedelta(seconds=1)),  # opens its hour and day
            (0.5, timedelta(hours=5, minutes=30)),
            (8e5, timedelta(hours=23, minutes=59, seconds=59)),  # closes them
        )
    ]
    store = QuoteStore(filled)
    store.record(late, source="simulator", recorded_at=END)
    assert delete(filled, None) == 1
    assert oldest(filled, QUOTES) > day + DAY
    after = asked(filled)
    # Given the same quotes without any rollup
    for name in (*ROLLUPS, MARKS, QUOTES, REPAIRED):
        filled[name].delete_many({})
    for name, documents in all_of_them.items():
        filled[name].insert_many(documents)
    store.record(late, source="simulator", recorded_at=END)
    assert after == asked(filled)


def test_without_a_retention_nothing_goes(filled: Database[Document]) -> None:
    count = filled[QUOTES].count_documents({})
    assert delete(filled, None) == 0
    assert filled[QUOTES].count_documents({}) == count


@pytest.mark.row("deletion-broken-off")
def test_a_step_that_dies_leaves_all_as_it_was(
    filled: Database[Document], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = asked(filled)
    names = (QUOTES, REPAIRED, HOURLY, DAILY, MARKS)
    counts = {name: filled[name].count_documents({}) for name in names}
    retention = Retention(filled)

    def die(*_: object) -> None:
        raise OperationFailure("killed")

    monkeypatch.setattr(retention._watermarks, "set_deleted", die)
    with pytest.raises(OperationFailure, match="killed"):
        retention.step("bitcoin", EDGE)
    assert {name: filled[name].count_documents({}) for name in names} == counts
    delete(filled)
    assert asked(filled) == before


def test_two_at_once_and_a_reader_see_all_the_time_the_same(filled: Database[Document]) -> None:
    before = asked(filled)
    with ThreadPoolExecutor(3) as threads:
        workers = [threads.submit(delete, filled) for _ in range(2)]
        page = CandlePages(filled).page("bitcoin", DAY, limit=500)
        while not all(one.done() for one in workers):
            assert CandlePages(filled).page("bitcoin", DAY, limit=500) == page
        for one in workers:
            one.result()
    assert asked(filled) == before
