"""How CoinGecko rounds the numbers of a row."""

from __future__ import annotations


def figure(value: float) -> float | int:
    """A price: whole from 10,000, six digits below 1."""
    if value >= 10_000:
        return round(value)
    if value >= 1:
        return round(value, 2 if value >= 1.1 else 3)
    return six_digits(value)


def amount(value: float) -> float | int:
    """A market cap or a volume: whole from 1,000, else six digits."""
    return round(value) if abs(value) >= 1_000 else six_digits(value)


def at_precision(value: float, precision: str | None) -> float | int:
    """A price at the `precision` asked for: "full", or places after the point up to 18."""
    if precision == "full":
        return value
    if precision is not None and precision.isdecimal():
        return round(value, min(int(precision), 18))
    return figure(value)


def six_digits(value: float) -> float:
    """Six digits, wherever the point stands."""
    return float(f"{value:.6g}")


def supply_figure(supply: float, picked: int) -> float | int:
    """A supply: whole numbers and floats, mixed within one page as `picked` has it."""
    return round(supply) if picked % 3 == 0 and supply < 2**53 else float(f"{supply:.15g}")
