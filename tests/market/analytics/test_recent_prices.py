"""The recent past of many coins: the same from scratch and added to, in bounded reads."""

import random
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest
from pymongo.database import Database

from bench.harness.services import keep, quote
from market.analytics.recent_prices import (
    LATE,
    STEP,
    STEPS,
    RecentPrices,
    RecentPricesReader,
    sparkline_start,
)
from market.analytics.statistics import deviation, rounded
from market.model.quotes import DEVIATION_WINDOW, Quote
from market.storage.database import QUOTES, Document
from market.storage.quote_store import QuoteStore
from tests.harness.mongodb_profiler import profiled, scans

NOW = datetime(2026, 11, 22, 8, 31, 7, tzinfo=UTC)
SLOT = timedelta(minutes=15)
COINS = ("bitcoin", "bitcoin-cash", "$literal", "young", "gone")


@pytest.fixture
def recent(database: Database[Document]) -> RecentPricesReader:
    return RecentPricesReader(database)


@pytest.fixture
def quotes(store: QuoteStore) -> dict[str, list[Quote]]:
    """Nine days of quotes with gaps; one coin is new, one has had none for a day."""
    dice = random.Random(7)
    made = {}
    for coin in COINS:
        numbers = range(3) if coin == "young" else range(9 * 96)
        ages = [n * SLOT + timedelta(seconds=dice.randrange(300)) for n in numbers]
        newest = timedelta(days=1) if coin == "gone" else timedelta()
        made[coin] = [
            quote(coin, dice.uniform(1, 9), NOW - age)
            for age in reversed(ages)
            if age >= newest and (age < SLOT or dice.random() > 0.2)
            if not timedelta(days=2) < age < timedelta(days=3)
        ]
        keep(store, *made[coin])
    return made


def by_hand(quotes: Iterable[Quote], upto: datetime) -> tuple[list[float], float, dict[int, float]]:
    """The newest 100 prices, their deviation, and the closes of the week's steps."""
    known = sorted((one for one in quotes if one.at <= upto), key=lambda one: one.at)
    prices = [one.price for one in known][-DEVIATION_WINDOW:]
    step = int(STEP.total_seconds())
    closes = {
        int(one.at.timestamp()) // step * step * 1000: one.price
        for one in known
        if one.at >= sparkline_start(upto)
    }
    return prices, rounded(deviation(prices)), closes


def said(one: RecentPrices) -> tuple[list[float], float | None, dict[int, float]]:
    return list(one.prices), one.deviation, dict(one.closes)


def test_from_scratch_it_is_what_is_stored(
    recent: RecentPricesReader, quotes: dict[str, list[Quote]]
) -> None:
    upto = {coin: found[-1].at for coin, found in quotes.items()}
    found = recent.read(upto)
    assert {c: said(one) for c, one in found.items()} == {
        coin: by_hand(quotes[coin], upto[coin]) for coin in COINS
    }
    assert len(found["bitcoin"].prices) == 100
    assert len(found["young"].prices) == len(quotes["young"]) < 4


def test_added_to_it_is_the_same_as_from_scratch(
    recent: RecentPricesReader, quotes: dict[str, list[Quote]]
) -> None:
    upto = {coin: found[-1].at for coin, found in quotes.items()}
    for slots in (1, 2, 30, 200):
        then = {coin: found[-min(slots, len(found) - 1) - 1].at for coin, found in quotes.items()}
        assert recent.catch_up(recent.read(then), upto) == recent.read(upto)


def test_step_by_step_it_stays_the_same(
    recent: RecentPricesReader, quotes: dict[str, list[Quote]]
) -> None:
    ats = [one.at for one in quotes["bitcoin"]][-40:]
    known = recent.read({"bitcoin": ats[0]})
    for at in ats[1:]:
        known = recent.catch_up(known, {"bitcoin": at})
    assert known == recent.read({"bitcoin": ats[-1]})


def test_a_quote_that_was_stored_late_is_added_too(
    recent: RecentPricesReader, store: QuoteStore, quotes: dict[str, list[Quote]]
) -> None:
    known = recent.read({"bitcoin": (newest := quotes["bitcoin"][-1].at)})
    late = quote("bitcoin", 500.0, newest - LATE / 2)
    later = quote("bitcoin", 5.0, newest + SLOT)
    keep(store, late, later)

    [found] = recent.catch_up(known, {"bitcoin": later.at}).values()

    assert said(found) == by_hand([*quotes["bitcoin"], late, later], later.at)
    assert 500.0 in found.prices


def test_a_coin_without_quotes_has_nothing(recent: RecentPricesReader) -> None:
    found = recent.read({"bitcoin": NOW})["bitcoin"]
    assert said(found) == ([], None, {})
    assert found.sparkline(sparkline_start(NOW)) == [None] * STEPS


def test_a_sparkline_has_a_point_for_each_step_and_shows_what_is_missing(
    recent: RecentPricesReader, quotes: dict[str, list[Quote]]
) -> None:
    start = sparkline_start(NOW)
    assert start == datetime(2026, 11, 15, 12, tzinfo=UTC)
    line = recent.read({"bitcoin": quotes["bitcoin"][-1].at})["bitcoin"].sparkline(start)
    for number, price in enumerate(line):
        begins = start + number * STEP
        within = [one.price for one in quotes["bitcoin"] if begins <= one.at < begins + STEP]
        assert price == (within[-1] if within else None)
    assert 5 <= line.count(None) <= 6
    assert line[-1] == quotes["bitcoin"][-1].price


def test_a_coin_without_news_ends_in_nulls(
    recent: RecentPricesReader, quotes: dict[str, list[Quote]]
) -> None:
    found = recent.read({"gone": quotes["gone"][-1].at})["gone"]
    assert found.sparkline(sparkline_start(NOW))[-6:] == [None] * 6
    assert found.sparkline(sparkline_start(NOW + timedelta(days=9))) == [None] * STEPS


def test_reads_are_of_what_is_asked_for_alone(
    recent: RecentPricesReader, database: Database[Document], quotes: dict[str, list[Quote]]
) -> None:
    upto = {coin: quotes[coin][-1].at for coin in ("bitcoin", "bitcoin-cash")}
    then = {coin: quotes[coin][-2].at for coin in upto}
    known: dict[str, RecentPrices] = {}

    first = profiled(database, lambda: known.update(recent.read(then)), QUOTES)
    second = profiled(database, lambda: recent.catch_up(known, upto), QUOTES)

    # What a joined pipeline examines, MongoDB counts twice.
    week = [one for one in quotes["bitcoin"] if one.at >= sparkline_start(NOW)]
    bounds = [3 * (DEVIATION_WINDOW + 5), 3 * (len(week) + 50), 3 * 5]
    for one, bound in zip((*first, *second), bounds, strict=True):
        assert one["docsExamined"] <= bound
    for one in (*first, *second):
        assert one["planSummary"] == "CLUSTERED_IXSCAN"
        assert not scans(one)
