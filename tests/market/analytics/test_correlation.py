"""Correlations, compared with what pandas says."""

import json
import math
import random
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from market.analytics.correlation import LEAST_RETURNS, Pair, by_slot, correlations
from market.schedule.slots import Schedule, SlotGrid
from market.storage.quote_history import Record
from tests.harness.recordings import COINGECKO, WHOLE

START = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
GRID = SlotGrid(Schedule("*/15 * * * *"), START, START + timedelta(days=1))
FIRST = GRID.nearest(START)


def record(minutes: float, price: float) -> Record:
    at = START + timedelta(minutes=minutes)
    return Record("bitcoin", at, price, None, None, None, "simulator", at, None)


def walks(coins: int, slots: int, *, kept: float = 1.0) -> dict[str, dict[int, float]]:
    """Coins that move with a market of their own making; of their slots a share is kept."""
    chance = random.Random(3)
    market = [chance.gauss(0, 0.01) for _ in range(slots)]
    made: dict[str, dict[int, float]] = {}
    for coin in range(coins):
        price, part = 10.0 ** (coin - 4), chance.uniform(-1, 1)
        prices = {}
        for slot, move in enumerate(market):
            price *= math.exp(part * move + chance.gauss(0, 0.005))
            if chance.random() < kept:
                prices[slot] = price
        made[f"coin-{coin}"] = prices
    return made


def elsewhere(a: dict[int, float], b: dict[int, float]) -> tuple[float, int]:
    """The correlation as pandas works it out, with the number of returns."""
    common = pd.DataFrame({"a": a, "b": b}).sort_index().dropna()
    returns = np.log(common).diff().dropna()
    return float(returns["a"].corr(returns["b"])), len(returns)


@pytest.mark.parametrize("kept", [1.0, 0.8])
def test_each_pair_has_the_correlation_that_pandas_says(kept: float) -> None:
    prices = walks(6, 100, kept=kept)
    pairs = list(correlations(prices))
    assert [(pair.a, pair.b) for pair in pairs][:3] == [
        ("coin-0", "coin-1"),
        ("coin-0", "coin-2"),
        ("coin-0", "coin-3"),
    ]
    assert len(pairs) == 15
    for pair in pairs:
        expected, returns = elsewhere(prices[pair.a], prices[pair.b])
        assert pair.correlation == pytest.approx(expected, rel=1e-9)
        assert pair.returns == returns
        assert list(pair.slots) == sorted(prices[pair.a].keys() & prices[pair.b].keys())
        assert pair.reason is None


def test_recorded_coins_have_the_correlation_that_pandas_says() -> None:
    charts = sorted(COINGECKO.glob("market_chart_*_max_daily_2023-06-24.json"))
    assert len(charts) >= 3
    prices = {
        chart.name: {
            int(at // 86_400_000): price
            for at, price in json.loads(chart.read_bytes())["prices"]
            if price > 0
        }
        for chart in charts
    }
    for pair in correlations(prices):
        expected, returns = elsewhere(prices[pair.a], prices[pair.b])
        assert pair.correlation == pytest.approx(expected, rel=1e-9)
        assert pair.returns == returns > (300 if WHOLE else 60)


def test_coins_that_move_alike_and_against_each_other() -> None:
    up = {slot: math.exp(math.sin(slot)) for slot in range(20)}
    prices = {
        "up": up,
        "tenfold": {slot: 10 * price for slot, price in up.items()},
        "down": {slot: 1 / price for slot, price in up.items()},
    }
    found = {(pair.a, pair.b): pair.correlation for pair in correlations(prices)}
    assert found == {
        ("up", "tenfold"): pytest.approx(1, rel=1e-12),
        ("up", "down"): pytest.approx(-1, rel=1e-12),
        ("tenfold", "down"): pytest.approx(-1, rel=1e-12),
    }
    assert all(value is not None and -1 <= value <= 1 for value in found.values())


def test_a_return_is_over_the_same_time_for_both() -> None:
    # `b` has no slot 5: for this pair, the move from 4 to 6 is one return of `a` too.
    (a, b) = walks(2, 30).values()
    del b[5]
    (pair,) = correlations({"a": a, "b": b})
    assert pair.returns == 28
    assert 5 not in pair.slots
    assert pair.correlation == pytest.approx(elsewhere(a, b)[0], rel=1e-9)


@pytest.mark.parametrize(
    ("a", "b", "returns", "reason"),
    [
        ({}, {}, 0, f"needs at least {LEAST_RETURNS} returns in common, there are 0"),
        (
            {slot: slot + 1.0 for slot in range(10)},
            {slot: slot + 2.0 for slot in range(100)},
            9,
            f"needs at least {LEAST_RETURNS} returns in common, there are 9",
        ),
        (
            {slot: slot % 3 + 1.0 for slot in range(20)},
            dict.fromkeys(range(20), 0.1),
            19,
            "b: its returns are all the same, so that nothing moves with them",
        ),
        (
            {slot: 1.1**slot for slot in range(20)},
            {slot: slot % 3 + 1.0 for slot in range(20)},
            19,
            "a: its returns are all the same, so that nothing moves with them",
        ),
        (
            {slot: slot % 3 + 0.0 for slot in range(20)},
            {slot: slot % 3 + 1.0 for slot in range(20)},
            19,
            "a: log returns need prices above 0, one is 0",
        ),
    ],
)
def test_what_has_no_correlation_says_why(
    a: dict[int, float], b: dict[int, float], returns: int, reason: str
) -> None:
    (pair,) = correlations({"a": a, "b": b})
    assert pair == Pair("a", "b", sorted(a.keys() & b.keys()), None, reason)
    assert pair.returns == returns


def test_prices_belong_to_the_slot_that_they_are_nearest_to() -> None:
    # Two coins of one update may lie on either side of its slot.
    before, behind = record(14, 1.0), record(15.5, 2.0)
    assert by_slot([before], GRID) == {FIRST + 1: 1.0}
    assert by_slot([behind], GRID) == {FIRST + 1: 2.0}


def test_of_several_in_one_slot_the_nearest_stands() -> None:
    records = [record(21, 4.0), record(15.5, 3.0), record(14, 2.0), record(0, 1.0)]
    assert by_slot(records, GRID) == {FIRST + 1: 3.0, FIRST: 1.0}
    assert by_slot(records[::-1], GRID) == {FIRST + 1: 3.0, FIRST: 1.0}
