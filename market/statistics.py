"""The deviation of prices: pure functions over numbers."""

import math
from collections.abc import Sequence

SIGNIFICANT_DIGITS = 6


def deviation(prices: Sequence[float]) -> float:
    """The population standard deviation, sqrt(sum((x - mean)^2) / n), in the prices' unit.

    `prices` are finite and at least one; one price gives 0. Raises ValueError for none.

    >>> round(deviation([40000, 45000, 50000]), 2)
    4082.48
    """
    if not prices:
        raise ValueError("a deviation needs at least one price, got none")
    # Scaled by the greatest, squares neither overflow (1e300) nor vanish (1e-200).
    scale = max(abs(price) for price in prices)
    if scale == 0:
        return 0.0
    shares = [price / scale for price in prices]
    mean = math.fsum(shares) / len(shares)
    return math.sqrt(math.fsum((share - mean) ** 2 for share in shares) / len(shares)) * scale


def rounded(value: float) -> float:
    """Two decimals from 1 upwards; six significant digits below, where coins are worth 1e-9.

    >>> rounded(4082.4829), rounded(0.00000912345678)
    (4082.48, 9.12346e-06)
    """
    if abs(value) >= 1:
        return round(value, 2)
    return float(f"{value:.{SIGNIFICANT_DIGITS}g}")
