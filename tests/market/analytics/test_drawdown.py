"""Drawdowns by hand."""

import pytest

from market.analytics.drawdown import drawdown
from market.analytics.statistics import Undefined


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
