"""A week of prices in a few characters."""

import pytest

from dash_ui.components.sparkline import change, describe, encode


@pytest.mark.parametrize(
    ("prices", "expected"),
    [
        ([1.0, 2.0, 3.0], "0iz"),
        ([3.0, None, 1.0], "z.0"),
        ([5.0, 5.0], "hh"),
        ([None, 7.0], ".h"),
        ([2e-10, 3e-10, 2.5e-10], "0zi"),
        ([None, None], ""),
        ([], ""),
    ],
)
def test_each_price_has_its_height_and_a_gap_is_one(
    prices: list[float | None], expected: str
) -> None:
    assert encode(prices) == expected


@pytest.mark.parametrize(
    ("prices", "expected"),
    [
        ([100.0, 90.0, 110.0], 10.0),
        ([None, 100.0, None, 50.0, None], -50.0),
        ([100.0], None),
        ([0.0, 1.0], None),
        ([], None),
    ],
)
def test_the_change_is_from_the_first_to_the_last(
    prices: list[float | None], expected: float | None
) -> None:
    assert change(prices) == (None if expected is None else pytest.approx(expected))


def test_it_is_told_in_words() -> None:
    words = describe([100.0, None, 90.0, 110.0], "usd")
    assert words.startswith("7 days: ")
    assert "10" in words
    assert words.endswith("from $90.00 to $110.00")
    assert describe([None], "usd") == "7 days: no prices"
