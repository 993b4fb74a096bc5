"""Volatilities, by hand and against simulated walks."""

import math
import random
from datetime import UTC, datetime, timedelta
from itertools import accumulate

import pytest

from market.analytics.statistics import Undefined
from market.analytics.volatility import log_returns, mean_step, volatility, yearly_volatility

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
