"""The deviation and its family, compared with values worked out elsewhere."""

import json
import math
import random
import statistics
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.analytics.statistics import (
    Undefined,
    coefficient_of_variation,
    deviation,
    drawdown,
    log_returns,
    mad,
    mean,
    mean_step,
    median,
    rounded,
    sample_deviation,
    volatility,
    yearly_volatility,
)
from tests.harness.recordings import COINGECKO

Measure = Callable[[Sequence[float]], float]


def test_the_example_of_the_task() -> None:
    assert rounded(deviation([40000, 45000, 50000])) == 4082.48


@pytest.mark.parametrize(
    ("prices", "expected"),
    [
        ([12.5], 0),
        ([0], 0),
        ([0.1] * 100, 0),
        ([0.0, 0.0, 0.0], 0),
        ([1e300, 3e300], 1e300),
        ([1e-200, 3e-200], 1e-200),
        ([1.7e308, 1.7e308], 0),
        ([0, 1e308], 5e307),
        ([1e9 + 4, 1e9 + 7, 1e9 + 13, 1e9 + 16], math.sqrt(22.5)),
        ([1e-12, 1e12], 5e11),
    ],
)
def test_deviations_known_by_hand(prices: list[float], expected: float) -> None:
    assert deviation(prices) == pytest.approx(expected, rel=1e-8, abs=0)


def test_without_a_price_there_is_none() -> None:
    with pytest.raises(ValueError, match="a deviation needs at least 1 record, there are 0"):
        deviation([])


@given(st.lists(st.floats(1e-12, 1e12), min_size=1, max_size=100))
def test_any_prices_have_the_deviation_that_python_says(prices: list[float]) -> None:
    # Rounding the mean alone costs up to one unit in the last place of the greatest price.
    assert deviation(prices) == pytest.approx(
        statistics.pstdev(prices), rel=1e-9, abs=4e-16 * max(prices)
    )


@pytest.mark.parametrize("scale", [1e-9, 1.0, 95_000.0])
def test_random_walks_have_the_deviation_that_python_says(scale: float) -> None:
    chance = random.Random(1)
    prices = [scale * math.exp(chance.gauss(0, 0.01)) for _ in range(100)]
    assert deviation(prices) == pytest.approx(statistics.pstdev(prices), rel=1e-12)
    assert deviation(sorted(prices)) == pytest.approx(deviation(prices), rel=1e-12)


def test_recorded_prices_have_the_deviation_that_python_says() -> None:
    charts = sorted(COINGECKO.glob("market_chart*.json"))
    assert charts
    for chart in charts:
        prices = [price for _, price in json.loads(chart.read_bytes())["prices"]]
        for window in (prices[-100:], prices):
            assert deviation(window) == pytest.approx(statistics.pstdev(window), rel=1e-9), chart


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (4082.4829046, 4082.48),
        (1.005001, 1.01),
        (1.0, 1.0),
        (1234567.891, 1234567.89),
        (0.99999949, 0.999999),
        (0.9999996, 1.0),
        (0.123456789, 0.123457),
        (0.00000912345678, 0.00000912346),
        (2.123456789e-10, 2.12346e-10),
        (1e-200, 1e-200),
        (0.0, 0.0),
        (-3.14159, -3.14),
        (-0.0123456789, -0.0123457),
    ],
)
def test_rounding(value: float, expected: float) -> None:
    assert rounded(value) == expected


def test_the_family_by_hand() -> None:
    prices = [40_000.0, 45_000.0, 50_000.0, 95_000.0]
    assert mean(prices) == 57_500
    assert median(prices) == 47_500
    assert median(prices[:3]) == 45_000
    # Apart from the median: 7,500, 2,500, 2,500 and 47,500.
    assert mad(prices) == pytest.approx(1.482602218505602 * 5000, rel=1e-12)
    assert sample_deviation(prices[:3]) == pytest.approx(5000, rel=1e-12)
    assert coefficient_of_variation(prices[:3]) == pytest.approx(0.0907218423, rel=1e-9)


@pytest.mark.parametrize("unit", [2e-10, 1e300, 1e307])
def test_the_family_of_prices_in_any_unit(unit: float) -> None:
    prices = [3.0, 5.0, 4.0, 11.0]
    large = [price * unit for price in prices]
    for measure in (mean, median, mad, deviation, sample_deviation):
        assert measure(large) == pytest.approx(measure(prices) * unit, rel=1e-12)
    assert coefficient_of_variation(large) == pytest.approx(
        coefficient_of_variation(prices), rel=1e-12
    )


def test_one_price_has_a_location_and_no_spread() -> None:
    for measure in (mean, median):
        assert measure([12.5]) == 12.5
    for measure in (deviation, mad, coefficient_of_variation):
        assert measure([12.5]) == 0


@pytest.mark.parametrize(
    ("measure", "prices", "reason"),
    [
        (mean, [], "a mean needs at least 1 record, there are 0"),
        (median, [], "a median needs at least 1 record, there are 0"),
        (mad, [], "a MAD needs at least 1 record, there are 0"),
        (sample_deviation, [5.0], "a sample deviation needs at least 2 records, there are 1"),
        (coefficient_of_variation, [0.0, 0.0], "needs a mean above 0, every price is 0"),
    ],
)
def test_what_is_not_defined_says_why(measure: Measure, prices: list[float], reason: str) -> None:
    with pytest.raises(Undefined, match=reason):
        measure(prices)


START = datetime(2026, 11, 22, tzinfo=UTC)
YEAR_SECONDS = 365 * 86_400


def times(*steps: float) -> list[datetime]:
    return [START + timedelta(seconds=at) for at in accumulate(steps, initial=0.0)]


def test_a_volatility_by_hand() -> None:
    # Returns of ln 2, -ln 2 and ln 2: their mean is ln 2 / 3, their sample deviation 2 ln 2 / √3.
    prices = [1.0, 2.0, 1.0, 2.0]
    expected = 2 * math.log(2) / math.sqrt(3)
    assert volatility(prices) == pytest.approx(expected, rel=1e-12)
    quarters = times(900, 900, 900)
    by_year = expected * math.sqrt(YEAR_SECONDS / 900)
    assert yearly_volatility(prices, quarters) == pytest.approx(by_year, rel=1e-12)


def test_a_year_is_counted_from_the_real_times() -> None:
    prices = [1.0, 2.0, 1.0, 2.0]
    uneven = times(60, 2000, 640)
    assert mean_step(uneven) == 900
    assert yearly_volatility(prices, uneven) == pytest.approx(
        yearly_volatility(prices, times(900, 900, 900)), rel=1e-12
    )


def test_uneven_steps_do_not_bias_a_years_volatility() -> None:
    chance = random.Random(1)
    true, found = 0.8, []
    for _ in range(400):
        steps = [chance.choice([30.0, 900.0, 7200.0]) for _ in range(99)]
        moves = [chance.gauss(0, true * math.sqrt(step / YEAR_SECONDS)) for step in steps]
        prices = [math.exp(level) for level in accumulate(moves, initial=0.0)]
        found.append(yearly_volatility(prices, times(*steps)) ** 2)
    assert sum(found) / len(found) == pytest.approx(true**2, rel=0.03)


@pytest.mark.parametrize(
    ("prices", "moves"),
    [
        ([2e-10, 4e-10], [math.log(2)]),
        ([1e-300, 1e300], [600 * math.log(10)]),
        ([1e300, 1e-300], [-600 * math.log(10)]),
        ([1.0], []),
    ],
)
def test_log_returns_of_any_prices(prices: list[float], moves: list[float]) -> None:
    assert log_returns(prices) == pytest.approx(moves, rel=1e-12)


def test_what_has_no_volatility_says_why() -> None:
    with pytest.raises(Undefined, match="a volatility needs at least 3 records, there are 2"):
        volatility([1.0, 2.0])
    with pytest.raises(Undefined, match="log returns need prices above 0, one is 0"):
        volatility([1.0, 0.0, 2.0])
    with pytest.raises(Undefined, match="a step needs at least 2 records, there are 1"):
        mean_step([START])


@pytest.mark.parametrize(
    ("prices", "expected"),
    [
        ([1.0, 2.0, 3.0], 0),
        ([5.0, 5.0], 0),
        ([100.0, 75.0], 0.25),
        # The deepest fall is from 120 to 60, not from the highest price, which comes later.
        ([100.0, 120.0, 90.0, 60.0, 110.0, 200.0, 150.0], 0.5),
        ([2e-10, 1e-10, 3e-10], 0.5),
        ([1e300, 2.5e299], 0.75),
        ([1.0, 0.0, 1.0], 1),
        ([0.0, 4.0, 3.0], 0.25),
    ],
)
def test_the_greatest_fall_from_a_peak(prices: list[float], expected: float) -> None:
    assert drawdown(prices) == pytest.approx(expected, rel=1e-12)


def test_what_has_no_drawdown_says_why() -> None:
    with pytest.raises(Undefined, match="a drawdown needs at least 2 records, there are 1"):
        drawdown([1.0])
    with pytest.raises(Undefined, match="a drawdown needs a price above 0, every price is 0"):
        drawdown([0.0, 0.0])
