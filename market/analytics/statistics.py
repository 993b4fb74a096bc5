"""Computes measures of prices: location, spread, volatility and drawdown. Pure functions."""

import math
import statistics
from collections.abc import Sequence, Sized
from datetime import datetime
from itertools import accumulate, pairwise

SIGNIFICANT_DIGITS = 6
# 1 / the normal distribution's upper quartile: makes the MAD of normal values their deviation.
# Rousseeuw and Croux, Alternatives to the Median Absolute Deviation, JASA 88 (1993), 1273-1283.
MAD_SCALE = 1.482602218505602
YEAR_SECONDS = 365 * 86_400  # coins trade every day


class Undefined(ValueError):
    """A measure is not defined for these prices; the message is the reason, in plain words."""


def deviation(prices: Sequence[float]) -> float:
    """The population standard deviation, sqrt(sum((x - mean)^2) / n), in the prices' unit.

    `prices` are finite and at least one; one price gives 0. Raises Undefined for none.

    >>> round(deviation([40000, 45000, 50000]), 2)
    4082.48
    """
    shares, scale = scaled(prices, "a deviation")
    mean_share = math.fsum(shares) / len(shares)
    squares = math.fsum((share - mean_share) ** 2 for share in shares)
    return math.sqrt(squares / len(shares)) * scale


def sample_deviation(prices: Sequence[float]) -> float:
    """The sample standard deviation, sqrt(sum((x - mean)^2) / (n - 1)), in the prices' unit.

    Raises Undefined for fewer than two prices.
    """
    at_least(prices, 2, "a sample deviation")
    return deviation(prices) * math.sqrt(len(prices) / (len(prices) - 1))


def mean(prices: Sequence[float]) -> float:
    """The arithmetic mean. Raises Undefined for no price."""
    shares, scale = scaled(prices, "a mean")
    return math.fsum(shares) / len(shares) * scale


def median(prices: Sequence[float]) -> float:
    """The median price. Raises Undefined for no price."""
    shares, scale = scaled(prices, "a median")
    return statistics.median(shares) * scale


def least(prices: Sequence[float]) -> float:
    """The lowest price. Raises Undefined for no price."""
    at_least(prices, 1, "a lowest price")
    return min(prices)


def greatest(prices: Sequence[float]) -> float:
    """The highest price. Raises Undefined for no price."""
    at_least(prices, 1, "a highest price")
    return max(prices)


def mad(prices: Sequence[float]) -> float:
    """The median absolute deviation from the median, times 1.4826: robust against outliers.

    With that factor it estimates the deviation of normal prices. Raises Undefined for no price.
    """
    shares, scale = scaled(prices, "a MAD")
    middle = statistics.median(shares)
    return statistics.median(abs(share - middle) for share in shares) * MAD_SCALE * scale


def coefficient_of_variation(prices: Sequence[float]) -> float:
    """The population deviation over the mean: a share, without a unit.

    Raises Undefined for no price, and where all are 0.
    """
    shares, _ = scaled(prices, "a coefficient of variation")
    average = mean(shares)
    if average == 0:
        raise Undefined("a coefficient of variation needs a mean above 0, every price is 0")
    return deviation(shares) / average


def drawdown(prices: Sequence[float]) -> float:
    """The maximum drawdown: the greatest (peak - price) / peak, from the highest price before.

    `prices` are oldest first. It is 0 if no price falls, 0.25 after a fall by a quarter, at most 1.
    Raises Undefined for fewer than two prices, and where all are 0.
    """
    at_least(prices, 2, "a drawdown")
    peaks = accumulate(prices, max)
    falls = [(peak - price) / peak for peak, price in zip(peaks, prices, strict=True) if peak > 0]
    if not falls:
        raise Undefined("a drawdown needs a price above 0, every price is 0")
    return max(falls)


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
    """The sample deviation of m log returns: sqrt(sum((r - mean)^2) / (m - 1)).

    It is the volatility of one period, the mean step between the prices, which are oldest first.
    Raises Undefined for fewer than three prices, and if one is 0.
    """
    at_least(prices, 3, "a volatility")
    return sample_deviation(log_returns(prices))


def yearly_volatility(prices: Sequence[float], times: Sequence[datetime]) -> float:
    """The volatility times sqrt(365 days / mean step), from the real times, oldest first.

    Steps may be uneven: a random walk's squared return grows with its step, so the squared
    volatility over the mean step is an unbiased estimate of the variance per unit of time. That
    holds without a drift. A drift m adds m^2 times the variance of the steps, which is negligible
    within days. Raises Undefined as `volatility` does.
    """
    return volatility(prices) * math.sqrt(YEAR_SECONDS / mean_step(times))


def _log_return(before: float, after: float) -> float:
    # A ratio keeps the digits of small moves, but 1e300 / 1e-300 overflows.
    ratio = after / before
    if 0 < ratio < math.inf:
        return math.log(ratio)
    return math.log(after) - math.log(before)


def rounded(value: float) -> float:
    """Rounds to two decimals from 1 upwards, and to six significant digits below, for tiny prices.

    >>> rounded(4082.4829), rounded(0.00000912345678)
    (4082.48, 9.12346e-06)
    """
    if abs(value) >= 1:
        return round(value, 2)
    return float(f"{value:.{SIGNIFICANT_DIGITS}g}")


def scaled(prices: Sequence[float], measure: str) -> tuple[list[float], float]:
    """Returns the prices as shares of the greatest, and the greatest.

    The squares of shares neither overflow (1e300) nor vanish (1e-200). Raises Undefined in the name
    of `measure` for no price.
    """
    at_least(prices, 1, measure)
    scale = max(map(abs, prices)) or 1.0
    return [price / scale for price in prices], scale


def at_least(records: Sized, count: int, measure: str) -> None:
    """Raises Undefined in the name of `measure` if there are fewer than `count` records."""
    if len(records) < count:
        noun = "record" if count == 1 else "records"
        raise Undefined(f"{measure} needs at least {count} {noun}, there are {len(records)}")
