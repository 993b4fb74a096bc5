"""Intervals of the deviation: whether they hold the true value as often as they say."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from market.analytics.bootstrap import LEAST_RECORDS, deviation_interval
from market.analytics.statistics import Undefined, deviation

RECORDS = 100
SERIES = 300
Walk = Callable[[np.random.Generator], np.ndarray]


def autoregressive(part: float) -> Walk:
    """Prices that come back to 1,000: each differs from it by `part` of the one before, and by
    chance. They are around it with a deviation of 1, whatever `part` is."""

    def walk(chance: np.random.Generator) -> np.ndarray:
        level = chance.standard_normal()
        shocks = chance.standard_normal(RECORDS) * math.sqrt(1 - part**2)
        levels = [level := part * level + shock for shock in shocks]
        return 1000 + np.array(levels)

    return walk


def random_walk(chance: np.random.Generator) -> np.ndarray:
    return 1000 + chance.standard_normal(RECORDS).cumsum()


def true_deviation(part: float) -> float:
    """The root mean square of the deviations of 100 prices: sqrt(E[deviation^2]).

    The mean of the prices is as uncertain as their covariances make it; that part of the variance
    is not within the stretch.
    """
    lags = np.arange(1, RECORDS)
    of_mean = (1 + 2 * ((1 - lags / RECORDS) * part**lags).sum()) / RECORDS
    return math.sqrt(1 - of_mean)


# A walk's variance between times s and t is |s - t|: half its mean over all pairs.
TRUE_OF_WALK = math.sqrt((RECORDS**2 - 1) / (6 * RECORDS))


@pytest.mark.parametrize(
    ("walk", "true", "least", "widest"),
    [
        (autoregressive(0.0), true_deviation(0.0), 0.95, 1.4),
        (autoregressive(0.5), true_deviation(0.5), 0.95, 1.5),
        (autoregressive(0.9), true_deviation(0.9), 0.93, 2.0),
        (random_walk, TRUE_OF_WALK, 0.86, 3.0),
    ],
)
def test_intervals_hold_the_true_deviation(
    walk: Walk, true: float, least: float, widest: float
) -> None:
    chance = np.random.default_rng(7)
    series = [walk(chance).tolist() for _ in range(SERIES)]
    squares = [deviation(prices) ** 2 for prices in series]
    assert math.sqrt(np.mean(squares)) == pytest.approx(true, rel=0.1)  # it is the true one

    intervals = [deviation_interval(prices) for prices in series]
    held = sum(one.low <= true <= one.high for one in intervals) / SERIES
    factors = [math.sqrt(one.high / one.low) for one in intervals]
    assert least <= held
    assert np.median(factors) < widest


def test_the_same_prices_have_the_same_interval_in_any_unit() -> None:
    prices = random_walk(np.random.default_rng(3)).tolist()
    found = deviation_interval(prices)
    assert found == deviation_interval(prices)
    assert found.low < deviation(prices) < found.high
    assert math.sqrt(found.low * found.high) == pytest.approx(deviation(prices), rel=1e-12)
    for unit in (2e-13, 1e297):
        scaled = deviation_interval([price * unit for price in prices])
        assert scaled.low == pytest.approx(found.low * unit, rel=1e-9)
        assert scaled.high == pytest.approx(found.high * unit, rel=1e-9)


def test_a_resample_is_made_of_blocks_that_go_on_at_the_beginning() -> None:
    # Every block of 7 of these 21 begins somewhere else in the same cycle: no resample differs.
    prices = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0] * 3
    found = deviation_interval(prices)
    assert (found.low, found.high) == pytest.approx((2.0, 2.0), rel=1e-9)
    assert found.block_length == 7


def test_an_interval_says_how_it_was_made() -> None:
    found = deviation_interval([float(number) for number in range(100)])
    assert (found.level, found.blocks, found.block_length, found.resamples) == (0.95, 3, 33, 1000)
    assert found.method.startswith("circular block bootstrap")


@pytest.mark.parametrize(
    ("prices", "reason"),
    [
        ([1.0] * (LEAST_RECORDS - 1), "needs at least 20 records, there are 19"),
        ([0.1] * 100, "needs prices that move, all are the same"),
        ([0.0] * 100, "needs prices that move, all are the same"),
        ([1.0] * 99 + [2.0], r"they all but stand still in \d+ of 1000 resamples"),
        ([0.0] * 50 + [1.7e308] * 50, r"they all but stand still in \d+ of 1000 resamples"),
        ([number * 1.7e306 for number in range(100)], "ends beyond the greatest number there is"),
    ],
)
def test_what_has_no_interval_says_why(prices: list[float], reason: str) -> None:
    with pytest.raises(Undefined, match=f"^an interval of the deviation .*{reason}"):
        deviation_interval(prices)
