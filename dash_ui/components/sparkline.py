"""A week of prices: as a few characters that the browser draws as a line, and in words."""

from collections.abc import Sequence

from dash_ui.components import format as fmt

LEVELS = "0123456789abcdefghijklmnopqrstuvwxyz"
GAP = "."


def encode(prices: Sequence[float | None]) -> str:
    """One character per price: its height in 36 levels; a dot for a gap.

    This keeps a table of 250 coins within a few kilobytes. Equal prices are drawn in the middle.
    """
    known = [price for price in prices if price is not None]
    if not known:
        return ""
    low, high = min(known), max(known)
    top = len(LEVELS) - 1

    def height(price: float) -> str:
        return LEVELS[round((price - low) / (high - low) * top) if high > low else top // 2]

    return "".join(GAP if price is None else height(price) for price in prices)


def change(prices: Sequence[float | None]) -> float | None:
    """The change in percent from the first known price to the last; None without two prices, or
    if the result is too large for a float."""
    known = [price for price in prices if price is not None]
    if len(known) < 2 or not known[0]:
        return None
    return fmt.finite((known[-1] / known[0] - 1) * 100)


def describe(prices: Sequence[float | None], currency: str) -> str:
    """The line in words."""
    known = [price for price in prices if price is not None]
    if not known:
        return "7 days: no prices"
    low, high = (fmt.price(price, currency) for price in (min(known), max(known)))
    return f"7 days: {fmt.change(change(prices))}, from {low} to {high}"
