"""Computes a confidence interval of a deviation, by a bootstrap over blocks of prices."""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from market.analytics.statistics import Undefined, at_least, deviation, mean, scaled

LEVEL = 0.95
STUDENT_T = 4.302652729911275  # its 97.5 % quantile with BLOCKS - 1 = 2 degrees of freedom
BLOCKS = 3
RESAMPLES = 1000
SEED = 20261122
LEAST_RECORDS = 20
MIN_VARIANCE = 1e-9  # a variance below this share of the whole is rounding

METHOD = (
    "circular block bootstrap of the standard error of the log deviation, "
    "Student's t with blocks - 1 degrees of freedom"
)


@dataclass(frozen=True, slots=True)
class Interval:
    """A deviation's interval, in the prices' unit, with the method that computed it."""

    low: float
    high: float
    block_length: int
    level: float = LEVEL
    method: str = METHOD
    blocks: int = BLOCKS
    resamples: int = RESAMPLES


def deviation_interval(prices: Sequence[float]) -> Interval:
    """The 95 % confidence interval of the population deviation of n prices, oldest first.

    The true value is the average (root mean square) of the deviation of n consecutive prices, if
    the same market were observed many times for as long. For prices that return to a level, it is
    the deviation around that level. A random walk has no level, and the deviation depends on the
    length of the series: the interval applies to series of this length, and is not a forecast.

    `error` is the deviation of the log deviations of 1,000 resamples, each of three blocks of
    n // 3 consecutive prices. The interval is deviation / f to deviation * f with
    f = exp(4.303 * error). Blocks are that long, and Student's t has the degrees of freedom that
    three blocks leave, because prices are autocorrelated: with short blocks and a percentile
    interval, a 95 % interval covered the true value of random walks only 37 % of the time.
    Simulated coverage (2,000 series, n = 100): independent prices 99 %, AR(1) with 0.5 98 %, with
    0.9 and 0.95 95 %, with 0.99 91 %, random walks 89 %. n = 20 and n = 400 differ by up to 4 %.

    Politis and Romano, A circular block-resampling procedure for stationary data (1992); Ibragimov
    and Müller, t-statistic based correlation and heterogeneity robust inference, JBES 28 (2010).
    The same prices give the same interval. Raises Undefined for fewer than 20 prices, if they do
    not move, and if they hardly move in some resamples, as after a crash.
    """
    at_least(prices, LEAST_RECORDS, "an interval of the deviation")
    shares, scale = scaled(prices, "an interval of the deviation")
    spread = deviation(shares)
    if spread == 0:
        raise Undefined("an interval of the deviation needs prices that move, all are the same")
    middle = mean(shares)
    block_length = len(prices) // BLOCKS
    variances = _variances([(share - middle) / spread for share in shares], block_length)
    still = sum(variance < MIN_VARIANCE for variance in variances)
    if still:
        raise Undefined(
            "an interval of the deviation needs prices that move throughout: they all but stand "
            f"still in {still} of {RESAMPLES} resamples"
        )
    error = deviation([math.log(variance) / 2 for variance in variances])
    factor = math.exp(STUDENT_T * error)
    high = spread * factor * scale
    if not math.isfinite(high):
        raise Undefined("an interval of the deviation ends beyond the greatest number there is")
    return Interval(spread / factor * scale, high, block_length)


def _variances(values: Sequence[float], length: int) -> list[float]:
    """Returns the variance of each resample, computed from the sums of its blocks."""
    sums = _block_sums(values, length)
    squares = _block_sums([value * value for value in values], length)
    starts = random.Random(SEED).choices(range(len(values)), k=BLOCKS * RESAMPLES)  # noqa: S311
    drawn = zip(*[iter(starts)] * BLOCKS, strict=True)
    size = BLOCKS * length
    return [
        sum(squares[start] for start in blocks) / size
        - (sum(sums[start] for start in blocks) / size) ** 2
        for blocks in drawn
    ]


def _block_sums(values: Sequence[float], length: int) -> list[float]:
    """Returns the sum of the block that starts at each value; blocks wrap around at the end."""
    until = list(accumulate([*values, *values[: length - 1]], initial=0.0))
    return [until[start + length] - until[start] for start in range(len(values))]
