"""All measures, compared with what numpy, scipy and pandas say."""

import json
import math
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import accumulate

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from market.analytics.bootstrap import Interval
from market.analytics.summary import measures
from tests.harness.recordings import COINGECKO

START = datetime(2026, 11, 22, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
NAMES = {
    *("mean", "median", "min", "max", "deviation", "sample_deviation", "deviation_interval"),
    *("mad", "coefficient_of_variation", "drawdown", "volatility_period", "volatility_year"),
    "period_seconds",
}


def quarters(count: int) -> list[datetime]:
    return [START + number * QUARTER for number in range(count)]


def elsewhere(prices: Sequence[float], times: Sequence[datetime]) -> dict[str, float]:
    """The same measures as others work them out."""
    series = pd.Series(prices, index=pd.DatetimeIndex(times))
    returns = np.log(series).diff().dropna()
    step = (times[-1] - times[0]).total_seconds() / (len(times) - 1)
    return {
        "mean": float(np.mean(prices)),
        "median": float(np.median(prices)),
        "min": min(prices),
        "max": max(prices),
        "deviation": float(np.std(prices)),
        "sample_deviation": float(series.std()),
        "mad": float(stats.median_abs_deviation(prices, scale="normal")),
        "coefficient_of_variation": float(stats.variation(prices)),
        "drawdown": float(((series.cummax() - series) / series.cummax()).max()),
        "volatility_period": float(returns.std()),
        "volatility_year": float(returns.std()) * math.sqrt(365 * 86_400 / step),
        "period_seconds": step,
    }


def agreed(prices: Sequence[float], times: Sequence[datetime]) -> Interval | None:
    """The deviation's interval, once all else is as it should be."""
    found = measures(prices, times)
    interval = found.values.pop("deviation_interval")
    assert found.values == pytest.approx(elsewhere(prices, times), rel=1e-9, abs=0)
    if not isinstance(interval, Interval):
        assert "they all but stand still" in found.reasons["deviation_interval"]
        return None
    assert found.reasons == {}
    assert interval.low < float(np.std(prices)) < interval.high
    return interval


def test_recorded_prices_have_the_measures_that_others_say() -> None:
    charts = sorted(COINGECKO.glob("market_chart*.json"))
    assert charts
    without_interval = set()
    for chart in charts:
        points = json.loads(chart.read_bytes())["prices"][-300:]
        prices = [price for _, price in points]
        times = [datetime.fromtimestamp(at / 1000, UTC) for at, _ in points]
        for newest in (100, 300):
            if agreed(prices[-newest:], times[-newest:]) is None:
                without_interval.add(chart.name)
    # After its crash, terra-luna's price is a millionth of what it was.
    assert without_interval <= {"market_chart_terra-luna_usd_max_daily_2022-07-06.json"}


@pytest.mark.parametrize("scale", [2e-10, 1.0, 45_000.0, 1e150])
def test_made_up_prices_have_the_measures_that_others_say(scale: float) -> None:
    chance = random.Random(2)
    moves = accumulate((chance.gauss(0, 0.01) for _ in range(100)), initial=0.0)
    prices = [scale * math.exp(move) for move in moves]
    steps = accumulate((chance.uniform(30, 2000) for _ in range(100)), initial=0.0)
    assert agreed(prices, [START + timedelta(seconds=at) for at in steps]) is not None


def test_prices_too_large_for_others() -> None:
    small = [3.0 + math.sin(number) for number in range(100)]
    of_small = measures(small, quarters(100)).values
    of_large = measures([price * 1e300 for price in small], quarters(100)).values
    for name in ("volatility_period", "volatility_year", "drawdown", "coefficient_of_variation"):
        assert of_large[name] == pytest.approx(of_small[name], rel=1e-9)
    for name in ("mean", "median", "min", "max", "deviation", "sample_deviation", "mad"):
        value = of_small[name]
        assert isinstance(value, float)
        assert of_large[name] == pytest.approx(value * 1e300, rel=1e-9)


def test_no_record_has_no_measure_and_says_why() -> None:
    found = measures([], [])
    assert found.values == dict.fromkeys(NAMES)
    assert set(found.reasons) == NAMES
    assert found.reasons["mean"] == "a mean needs at least 1 record, there are 0"


def test_one_record_has_the_measures_that_one_can_have() -> None:
    found = measures([12.5], quarters(1))
    none = {"sample_deviation", "deviation_interval", "drawdown"}
    none |= {"volatility_period", "volatility_year", "period_seconds"}
    assert found.values == dict.fromkeys(none) | {
        **dict.fromkeys(("mean", "median", "min", "max"), 12.5),
        **dict.fromkeys(("deviation", "mad", "coefficient_of_variation"), 0.0),
    }
    assert set(found.reasons) == none
    assert found.reasons["volatility_year"] == "a volatility needs at least 3 records, there are 1"


def test_two_records() -> None:
    found = measures([100.0, 75.0], quarters(2))
    assert found.values["drawdown"] == 0.25
    assert found.values["sample_deviation"] == pytest.approx(25 / math.sqrt(2), rel=1e-12)
    assert found.values["period_seconds"] == 900
    assert set(found.reasons) == {"deviation_interval", "volatility_period", "volatility_year"}


def test_prices_that_stand_still() -> None:
    found = measures([0.1] * 100, quarters(100))
    zero = ("deviation", "sample_deviation", "mad", "coefficient_of_variation", "drawdown")
    for name in (*zero, "volatility_period", "volatility_year"):
        assert found.values[name] == 0, name
    assert found.reasons == {
        "deviation_interval": "an interval of the deviation needs prices that move, "
        "all are the same"
    }


def test_a_price_of_0_leaves_what_needs_none() -> None:
    found = measures([1.0, 0.0, 2.0], quarters(3))
    assert found.values["drawdown"] == 1
    assert found.reasons["volatility_period"] == "log returns need prices above 0, one is 0"
    assert set(found.reasons) == {"volatility_period", "volatility_year", "deviation_interval"}
