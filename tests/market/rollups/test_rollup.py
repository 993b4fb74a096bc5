"""Rollups made in steps: what is asked of them is what the quotes say, whatever comes late."""

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import pytest
from pymongo.database import Database

from bench.harness.services import quote
from market.model.candle import DAY, HOUR, QUARTER, floor_to
from market.rollups.candle_pages import CandlePages
from market.rollups.retention import Retention
from market.rollups.rollup import RollupBuilder
from market.storage.database import DAILY, HOURLY, QUOTES, Document
from market.storage.quote_history import key_range
from market.storage.quote_store import QuoteStore
from market.storage.watermarks import Watermarks
from tests.harness.coin_history_data import END, START, asked, document, fill
from tests.harness.mongodb_profiler import profiled
from tests.harness.rollup import UNTIL, roll_up


@pytest.fixture
def filled(database: Database[Document]) -> Database[Document]:
    fill(database)
    return database


def test_answers_are_the_same_to_the_digit(filled: Database[Document]) -> None:
    before = asked(filled)
    assert roll_up(filled) == 1
    assert asked(filled) == before
    assert Watermarks(filled).of("bitcoin").until == floor_to(UNTIL, DAY)
    assert filled[HOURLY].count_documents({"_id.coin": "bitcoin-cash"}) == 0


def test_a_day_has_all_that_is_known_of_it(filled: Database[Document]) -> None:
    roll_up(filled)
    day = floor_to(START, DAY) + DAY
    quotes = list(filled[QUOTES].find({"_id": key_range("bitcoin", day, day + DAY)}).sort("_id", 1))
    prices = [one["price"] for one in quotes]
    assert filled[DAILY].find_one({"_id": {"coin": "bitcoin", "at": day}}) == {
        "_id": {"coin": "bitcoin", "at": day},
        "open": prices[0],
        "high": max(prices),
        "low": min(prices),
        "close": prices[-1],
        "count": len(prices),
        "repaired": 0,
        "volume_24h": quotes[-1]["volume_24h"],
        "market_cap": quotes[-1]["market_cap"],
        "source": quotes[-1]["source"],
        "first": quotes[0]["_id"]["at"],
        "as_of": quotes[-1]["_id"]["at"],
    }


def test_it_goes_on_where_it_stopped_and_twice_is_once(filled: Database[Document]) -> None:
    roll_up(filled, START + 5 * DAY)
    first = {kind: list(filled[kind].find()) for kind in (HOURLY, DAILY)}
    assert roll_up(filled, START + 5 * DAY) == 0
    roll_up(filled)
    for kind, known in first.items():
        assert [one for one in filled[kind].find() if one in known] == known


def test_two_at_once_do_no_harm(filled: Database[Document]) -> None:
    before = asked(filled)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: roll_up(filled), range(4)))
    assert asked(filled) == before
    assert Watermarks(filled).of("bitcoin").until == floor_to(UNTIL, DAY)


def late(store: QuoteStore, at: datetime, price: float) -> None:
    store.record([quote("bitcoin", price, at)], source="simulator", recorded_at=END)


def test_a_quote_that_comes_late_counts_at_once_and_later(filled: Database[Document]) -> None:
    roll_up(filled)
    at = START + 3 * DAY
    late(QuoteStore(filled), at, 7e5)

    def high() -> float:
        day = floor_to(at, DAY)
        page = CandlePages(filled).page("bitcoin", HOUR, start=day, end=day + DAY, limit=24)
        return max(one.high for one in page.candles)

    assert high() == 7e5
    assert Watermarks(filled).of("bitcoin").until == floor_to(at, DAY)
    before = asked(filled)
    assert roll_up(filled) > 0
    assert (high(), asked(filled)) == (7e5, before)


@pytest.mark.row("late-quote")
def test_a_quote_that_comes_late_while_its_day_is_rolled_up_is_not_lost(
    filled: Database[Document], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, at = QuoteStore(filled), START + 3 * DAY
    roller = RollupBuilder(filled)
    rolled_up = roller._watermarks.set_rolled_up

    def slow(*made: Any, **how: Any) -> bool:
        late(store, at, 7e5)  # after the candles were made, before the mark is set
        return rolled_up(*made, **how)

    monkeypatch.setattr(roller._watermarks, "set_rolled_up", slow)
    roller.step("bitcoin", UNTIL)
    assert Watermarks(filled).of("bitcoin").until is None
    monkeypatch.undo()
    before = asked(filled)
    roll_up(filled)
    assert asked(filled) == before
    assert any(one.high == 7e5 for page in before for one in page.candles)


@pytest.mark.row("rollup-beside-retention")
@pytest.mark.parametrize("when", ["before the candles are kept", "before the mark is set"])
def test_a_rollup_that_stood_still_takes_no_late_quote_out_of_a_candle(
    filled: Database[Document], monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    # Given a rollup that has made its candles, and stands still
    store, at = QuoteStore(filled), START + 3 * DAY
    roller, others = RollupBuilder(filled), ThreadPoolExecutor(1)
    stop = {"before the candles are kept": "keep", "before the mark is set": "set_rolled_up"}[when]
    of = roller._rollups if stop == "keep" else roller._watermarks
    go_on = getattr(of, stop)
    done: list[Future[None]] = []

    def meanwhile() -> None:
        late(store, at, 7e5)
        while Retention(filled).step("bitcoin", END - 10 * DAY):
            pass

    def slow(*made: Any, **how: Any) -> Any:
        if not done:
            # A quote comes late, and the retention moves its day into the candles.
            done.append(others.submit(meanwhile))
            with suppress(TimeoutError):  # it may have to wait until the rollup has ended
                done[0].result(1)
        return go_on(*made, **how)

    monkeypatch.setattr(of, stop, slow)
    # When it goes on
    roller.step("bitcoin", UNTIL)
    done[0].result()
    others.shutdown()
    monkeypatch.undo()
    # Then the late quote is in the candle, now and after the next steps
    for _ in range(2):
        day = floor_to(at, DAY)
        page = CandlePages(filled).page("bitcoin", DAY, start=day, end=day + DAY, limit=1)
        assert page.candles[0].high == 7e5
        roll_up(filled)
        while Retention(filled).step("bitcoin", END - 10 * DAY):
            pass
    assert filled[QUOTES].count_documents({"_id": {"coin": "bitcoin", "at": at}}) == 0


def test_a_year_of_days_is_read_without_its_quotes(database: Database[Document]) -> None:
    quotes = [document("bitcoin", START + n * 4 * QUARTER, 1.0) for n in range(24 * 365)]
    database[QUOTES].insert_many(quotes)
    end = START + timedelta(days=365)
    while RollupBuilder(database).step("bitcoin", end):
        pass

    def read() -> None:
        assert len(CandlePages(database).page("bitcoin", DAY, limit=500).candles) == 366

    done = profiled(database, read, QUOTES)
    assert sum(one["docsExamined"] for one in done) <= 50
