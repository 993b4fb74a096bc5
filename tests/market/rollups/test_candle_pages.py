"""Candles made in MongoDB: the same as pandas makes, in bounded reads."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from pymongo.database import Database

from market.model.candle import INTERVALS, Candle
from market.rollups.candle_pages import SECONDS, CandlePages
from market.storage.database import QUOTES, REPAIRED, Document
from tests.harness.mongodb_profiler import profiled, scans

START = datetime(2026, 11, 1, 7, 3, tzinfo=UTC)
SLOT = timedelta(minutes=15)
HOUR, DAY = INTERVALS["1h"], INTERVALS["1d"]


def document(coin: str, at: datetime, price: float, **fields: Any) -> Document:
    """A quote as it is stored."""
    return {
        "_id": {"coin": coin, "at": at},
        "price": price,
        "market_cap": None,
        "change_24h": None,
        "volume_24h": price * 10,
        "source": "simulator",
        "recorded_at": at + timedelta(seconds=5),
        **fields,
    }


@pytest.fixture
def series(database: Database[Document]) -> "pd.Series[float]":
    """Twelve days of bitcoin with uneven times and gaps of up to two days, beside two others."""
    dice = random.Random(4)
    numbers = [n for n in range(12 * 96) if not 200 <= n < 392 and dice.random() > 0.3]
    times = [START + n * SLOT + timedelta(seconds=dice.randrange(600)) for n in numbers]
    prices = [dice.uniform(1, 1000) for _ in times]
    database[QUOTES].insert_many(
        [document("bitcoin", at, price) for at, price in zip(times, prices, strict=True)]
        + [document(coin, at, 5.0) for coin in ("bitcoim", "bitcoin-cash") for at in times[::9]]
    )
    return pd.Series(prices, index=pd.DatetimeIndex(times))


@pytest.fixture
def candles(database: Database[Document]) -> CandlePages:
    return CandlePages(database)


def all_pages(candles: CandlePages, interval: timedelta, limit: int, **bounds: Any) -> list[Candle]:
    found: list[Candle] = []
    end: datetime | None = bounds.pop("end", None)
    for _ in range(500):
        page = candles.page("bitcoin", interval, end=end, limit=limit, **bounds)
        found += page.candles
        if page.before is None:
            return found
        assert page.candles, "a page before the last one has candles"
        end = page.before
    raise AssertionError(f"the pages do not end: {end}")


@pytest.mark.parametrize("name", INTERVALS)
def test_they_are_what_pandas_makes(
    candles: CandlePages, series: "pd.Series[float]", name: str
) -> None:
    interval = INTERVALS[name]
    groups = series.resample(interval)
    expected = groups.ohlc().assign(count=groups.count()).dropna()[::-1]

    found = all_pages(candles, interval, 7)
    assert all_pages(candles, interval, 500) == found

    assert [one.start for one in found] == list(expected.index)
    for column in ("open", "high", "low", "close", "count"):
        assert [getattr(one, column) for one in found] == list(expected[column])
    assert [one.volume_24h for one in found] == [one.close * 10 for one in found]
    last = series.index.to_series().resample(interval).last().dropna()[::-1]
    assert [one.as_of for one in found] == list(last)


@pytest.mark.usefixtures("series")
def test_a_stretch_is_of_whole_candles(candles: CandlePages) -> None:
    start, end = datetime(2026, 11, 2, 9, 10, tzinfo=UTC), datetime(2026, 11, 2, 12, 1, tzinfo=UTC)
    whole = {one.start: one for one in candles.page("bitcoin", HOUR, limit=500).candles}

    found = candles.page("bitcoin", HOUR, start=start, end=end, limit=500)

    assert [one.start.hour for one in found.candles] == [12, 11, 10]
    assert [whole[one.start] for one in found.candles] == found.candles
    assert found.before is None
    to = datetime(2026, 11, 2, 12, tzinfo=UTC)
    assert [
        one.start.hour
        for one in candles.page("bitcoin", HOUR, start=start, end=to, limit=9).candles
    ] == [11, 10]


def test_a_coin_without_quotes_has_none(candles: CandlePages) -> None:
    page = candles.page("bitcoin", HOUR, limit=5, repaired=True)
    assert (page.candles, page.before) == ([], None)


def test_repaired_quotes_count_only_if_asked_for_and_the_recorded_stands(
    candles: CandlePages, database: Database[Document]
) -> None:
    nine = datetime(2026, 11, 2, 9, tzinfo=UTC)
    recorded = [(0, 10.0), (30, 12.0)]
    repaired = [(-60, 7.0), (15, 20.0), (30, 999.0), (45, 5.0)]
    database[QUOTES].insert_many(
        [document("bitcoin", nine + timedelta(minutes=m), p) for m, p in recorded]
    )
    database[REPAIRED].insert_many(
        [
            document("bitcoin", nine + timedelta(minutes=m), p, resolution=300, source="history")
            for m, p in repaired
        ]
    )

    [alone] = candles.page("bitcoin", HOUR, limit=5).candles
    with_both, repaired_alone = candles.page("bitcoin", HOUR, limit=5, repaired=True).candles

    assert (alone.open, alone.high, alone.low, alone.close) == (10.0, 12.0, 10.0, 12.0)
    assert (alone.count, alone.repaired, alone.source) == (2, 0, "simulator")
    assert (with_both.open, with_both.high, with_both.low, with_both.close) == (10, 20, 5, 5)
    assert (with_both.count, with_both.repaired) == (4, 2)
    assert (with_both.source, with_both.as_of) == ("history", nine + timedelta(minutes=45))
    assert with_both.volume_24h == 50.0
    assert (repaired_alone.start, repaired_alone.count) == (nine - HOUR, 1)


def test_a_number_that_is_missing_at_the_close_is_null(
    candles: CandlePages, database: Database[Document]
) -> None:
    database[QUOTES].insert_many(
        [
            document("bitcoin", START, 1.0),
            document("bitcoin", START + timedelta(minutes=1), 2.0, volume_24h=None),
        ]
    )
    [one] = candles.page("bitcoin", DAY, limit=1).candles
    assert (one.count, one.volume_24h) == (2, None)


@pytest.mark.parametrize("repaired", [False, True])
def test_a_page_reads_no_more_than_its_intervals(
    candles: CandlePages, database: Database[Document], repaired: bool
) -> None:
    year = [number for number in range(24 * 365) if not 200 < number < 8000]
    for collection in (QUOTES, REPAIRED):
        database[collection].insert_many(
            [document("bitcoin", START + number * HOUR, 1.0) for number in year]
        )
    in_the_gap = START + 4000 * HOUR
    for end in (None, in_the_gap):

        def read(end: datetime | None = end) -> None:
            page = candles.page("bitcoin", HOUR, end=end, limit=20, repaired=repaired)
            assert len(page.candles) == 20

        done = profiled(database, read, QUOTES, REPAIRED)
        # 20 hours have 20 quotes; a repaired one is looked up too, and counted again on the way.
        # Stored are 960.
        assert sum(one["docsExamined"] for one in done) <= (200 if repaired else 30)
        assert {one["planSummary"] for one in done} == {"CLUSTERED_IXSCAN"}
        assert not any(scans(one) for one in done)
        made = [one for one in done if "aggregate" in one["command"]]
        assert len(made) == 1 + repaired
        assert all(one["command"]["maxTimeMS"] <= SECONDS * 1000 for one in made)
