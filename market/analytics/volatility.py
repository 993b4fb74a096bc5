"""How much a price moves from one time to the next: log returns and their deviation."""

import math
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise

from market.analytics.statistics import Undefined, at_least, sample_deviation

YEAR_SECONDS = 365 * 86_400  # coins are traded every day


def log_returns(prices: Sequence[float]) -> list[float]:
    """ln(p[i] / p[i-1]), oldest first. Raises Undefined where a price is 0."""
    if 0 in prices:
        raise Undefined("log returns need prices above 0, one is 0")
    return [_log_return(before, after) for before, after in pairwise(prices)]


def mean_step(times: Sequence[datetime]) -> float:
    """(newest - oldest) / (n - 1), in seconds. Raises Undefined for fewer than two times."""
    at_least(times, 2, "a step")
    return (times[-1] - times[0]).total_seconds() / (len(times) - 1)


def volatility(prices: Sequence[float]) -> float:
    """The sample deviation of the log returns: sqrt(sum((r - mean)^2) / (m - 1)) over m of them.

    It is that of a period, the mean step between the prices, which are oldest first. Raises
    Undefined for fewer than three prices, and where one is 0.
    """
    at_least(prices, 3, "a volatility")
    return sample_deviation(log_returns(prices))


def yearly_volatility(prices: Sequence[float], times: Sequence[datetime]) -> float:
    """The volatility times sqrt(365 days / mean step), from the real times, oldest first.

    Steps may be uneven: a random walk's squared return grows with its step, so that the squared
    volatility over the mean step estimates the variance of a unit of time without bias, whatever
    the steps. That holds without a drift; a drift m adds m^2 times the variance of the steps,
    which is next to nothing within days. Raises Undefined as `volatility` does.
    """
    return volatility(prices) * math.sqrt(YEAR_SECONDS / mean_step(times))


def _log_return(before: float, after: float) -> float:
    # A ratio keeps the digits of small moves, but 1e300 / 1e-300 is no float.
    ratio = after / before
    if 0 < ratio < math.inf:
        return math.log(ratio)
    return math.log(after) - math.log(before)
