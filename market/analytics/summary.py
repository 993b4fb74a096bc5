"""Computes all measures of a coin's prices, each with the reason if it is undefined."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from market.analytics import statistics
from market.analytics.bootstrap import Interval, deviation_interval
from market.analytics.statistics import (
    Undefined,
    drawdown,
    mean_step,
    volatility,
    yearly_volatility,
)

Value = float | Interval


@dataclass(frozen=True, slots=True)
class Measures:
    """The measures by name, and the reason for each that is None."""

    values: dict[str, Value | None]
    reasons: dict[str, str]


OF_PRICES: dict[str, Callable[[Sequence[float]], Value]] = {
    "mean": statistics.mean,
    "median": statistics.median,
    "min": statistics.least,
    "max": statistics.greatest,
    "deviation": statistics.deviation,
    "sample_deviation": statistics.sample_deviation,
    "deviation_interval": deviation_interval,
    "mad": statistics.mad,
    "coefficient_of_variation": statistics.coefficient_of_variation,
    "drawdown": drawdown,
    "volatility_period": volatility,
}


def measures(prices: Sequence[float], times: Sequence[datetime]) -> Measures:
    """Returns the measures of prices and their times, both oldest first; never raises Undefined.

    All are in the prices' unit, except shares (coefficient of variation, drawdown, volatilities)
    and `period_seconds`, the mean step.
    """
    found = Measures({}, {})

    def add(name: str, measure: Callable[[], Value]) -> None:
        try:
            found.values[name] = measure()
        except Undefined as undefined:
            found.values[name] = None
            found.reasons[name] = str(undefined)

    for name, of_prices in OF_PRICES.items():
        add(name, partial(of_prices, prices))
    add("volatility_year", partial(yearly_volatility, prices, times))
    add("period_seconds", partial(mean_step, times))
    return found
