"""Rounding: numbers as CoinGecko writes them."""

import pytest

from simulator.rounding import amount, at_precision, figure, six_digits, supply_figure


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (95_123.7, "95124"),
        (9_999.126, "9999.13"),
        (1.106, "1.11"),
        (1.0546, "1.055"),
        (1.00046, "1.0"),
        (0.123456789, "0.123457"),
        (0.00000000020412345, "2.04123e-10"),
    ],
)
def test_a_price_is_whole_from_10_000_and_has_six_digits_below_1(value: float, shown: str) -> None:
    assert repr(figure(value)) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(-1_000.4, "-1000"), (1_890_000_000_000.2, "1890000000000"), (999.123456, "999.123")],
)
def test_an_amount_is_whole_from_1_000(value: float, shown: str) -> None:
    assert repr(amount(value)) == shown


@pytest.mark.parametrize(
    ("precision", "price"),
    [("full", 1.23456789), ("3", 1.235), ("0", 1.0), ("99", 1.23456789), ("x", 1.23), (None, 1.23)],
)
def test_a_precision_asked_for_is_kept(precision: str | None, price: float) -> None:
    assert at_precision(1.23456789, precision) == price


def test_six_digits_stand_wherever_the_point_is() -> None:
    assert [six_digits(v) for v in (-123.4567891, 1234567.8)] == [-123.457, 1_234_570.0]


@pytest.mark.parametrize(
    ("supply", "picked", "shown"),
    [(21.4, 3, "21"), (21.4, 4, "21.4"), (2.0**60, 3, "1.15292150460685e+18")],
)
def test_a_supply_is_whole_for_a_third_that_can_be(supply: float, picked: int, shown: str) -> None:
    assert repr(supply_figure(supply, picked)) == shown
