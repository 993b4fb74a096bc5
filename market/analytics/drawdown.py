"""The greatest fall of a price from a peak."""

from collections.abc import Sequence
from itertools import accumulate

from market.analytics.statistics import Undefined, at_least


def drawdown(prices: Sequence[float]) -> float:
    """The greatest of (peak - price) / peak, with the highest price until then as the peak.

    `prices` are oldest first. 0 when none falls, 0.25 after a fall by a quarter, 1 at worst.
    Raises Undefined for fewer than two prices, and where all are 0.
    """
    at_least(prices, 2, "a drawdown")
    peaks = accumulate(prices, max)
    falls = [(peak - price) / peak for peak, price in zip(peaks, prices, strict=True) if peak > 0]
    if not falls:
        raise Undefined("a drawdown needs a price above 0, every price is 0")
    return max(falls)
