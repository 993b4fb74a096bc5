"""A week of prices as a line of a few characters, for the browser to draw, and as words."""

from collections.abc import Sequence

from dash_ui.components import format as fmt

LEVELS = "0123456789abcdefghijklmnopqrstuvwxyz"
GAP = "."


def heights(prices: Sequence[float | None]) -> str:
    """A character for each price: its height among them, in 36 levels; a dot where there is none.

    So a table of 250 coins is some kilobytes. Prices that are all the same are in the middle.
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
    """Per cent from the first known price to the last; None where there are not two, or no number
    is so large."""
    known = [price for price in prices if price is not None]
    if len(known) < 2 or not known[0]:
        return None
    return fmt.finite((known[-1] / known[0] - 1) * 100)


def told(prices: Sequence[float | None], currency: str) -> str:
    """What the line shows, in words."""
    known = [price for price in prices if price is not None]
    if not known:
        return "7 days: no prices"
    low, high = (fmt.price(price, currency) for price in (min(known), max(known)))
    return f"7 days: {fmt.change(change(prices))}, from {low} to {high}"
