"""How far a deviation may be from its true value: a bootstrap over blocks of prices."""

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
STILL = 1e-9  # a variance below this share of the whole is rounding

METHOD = (
    "circular block bootstrap of the standard error of the log deviation, "
    "Student's t with blocks - 1 degrees of freedom"
)


@dataclass(frozen=True, slots=True)
class Interval:
    """A deviation's interval, in the prices' unit, with how it was made."""

    low: float
    high: float
    block_length: int
    level: float = LEVEL
    method: str = METHOD
    blocks: int = BLOCKS
    resamples: int = RESAMPLES


def deviation_interval(prices: Sequence[float]) -> Interval:
    """The 95 % confidence interval of the population deviation of n prices, oldest first.

    The true value is what the deviation of n such prices in a row comes to on average (root mean
    square), were the same market watched for as long again and again. For prices that keep coming
    back to a level it is the deviation around that level. A random walk has no such level, and the
    deviation of its stretches depends on their length: so the interval speaks of stretches of
    this length, not of longer ones, and foretells nothing.

    The log deviations of 1,000 resamples, each of three blocks of n // 3 neighbouring prices, have
    a deviation of their own, `error`. The interval is deviation / f to deviation * f with
    f = exp(4.303 * error). The blocks are that long, and Student's t is taken with as many degrees
    of freedom as three blocks leave, because prices hang together: with short blocks and a
    percentile interval, 95 % held 37 % of the time for random walks. Simulated (2,000 series,
    n = 100), it held for independent prices 99 %, for AR(1) with 0.5 98 %, with 0.9 and 0.95 95 %,
    with 0.99 91 %, for random walks 89 %. n = 20 and n = 400 are within 4 % of these.

    Politis and Romano, A circular block-resampling procedure for stationary data (1992); Ibragimov
    and Müller, t-statistic based correlation and heterogeneity robust inference, JBES 28 (2010).
    The same prices give the same interval. Raises Undefined for fewer than 20 prices, where
    they do not move, and where they all but stand still in some resamples, as after a crash.
    """
    at_least(prices, LEAST_RECORDS, "an interval of the deviation")
    shares, scale = scaled(prices, "an interval of the deviation")
    spread = deviation(shares)
    if spread == 0:
        raise Undefined("an interval of the deviation needs prices that move, all are the same")
    middle = mean(shares)
    block_length = len(prices) // BLOCKS
    variances = _variances([(share - middle) / spread for share in shares], block_length)
    still = sum(variance < STILL for variance in variances)
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
    """The variance of each resample, from the sums of its blocks alone."""
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
    """The sums of the blocks that begin at each value; those at the end go on at the beginning."""
    until = list(accumulate([*values, *values[: length - 1]], initial=0.0))
    return [until[start + length] - until[start] for start in range(len(values))]
