"""Decides which of another source's coins is which of ours: pure functions."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from market.model.quotes import Quote
from market.storage.database import Document

# A price or market cap over twice, or under half, the known one belongs to another coin.
MAX_RATIO = 2.0
DECIMALS = 8  # of many of the second source's numbers
COARSE = 1e-6  # a lower price with so few decimals is off by more than half a percent
SHARED = "more than one coin has its symbol and name"
UNLISTED = "its id is not among the active coins listed under its symbol and name"

Row = Mapping[str, Any]
T = TypeVar("T")


def match_coins(
    rows: Iterable[Row], coins: Mapping[str, Any], listed: Iterable[Row]
) -> tuple[dict[str, Any], dict[str, str]]:
    """Returns the second source's row of each of our coins, and why other coins are in doubt.

    A row belongs to a coin if both have the same symbol and name, in any case, and no other row and
    no other coin has them: 4,342 symbols belong to more than one coin. `listed` are all active
    coins of that source, most of them without a row: the row's own must be the only one of them
    with these names.
    """
    theirs = _by_names((row, row) for row in rows)
    active = _by_names((one.get("id"), one) for one in listed)
    found: dict[str, Any] = {}
    doubts: dict[str, str] = {}
    for names, ids in _by_names(coins.items()).items():
        alike, known = theirs.get(names, []), active.get(names, [])
        if not alike:
            continue
        if max(len(ids), len(alike), len(known)) > 1:
            doubts |= dict.fromkeys(ids, SHARED)
        elif known != [alike[0].get("id")]:
            doubts[ids[0]] = UNLISTED
        else:
            found[ids[0]] = alike[0]
    return found, doubts


def doubt(quote: Quote, known: Document | None) -> str | None:
    """Returns why a second source's quote contradicts the coin's latest; None if it does not."""
    if known is None:
        return "no earlier price is known to compare with"
    if quote.at < known["at"]:
        return f"its price of {quote.at:%Y-%m-%d %H:%M:%S} is older than the known one"
    if reason := _far("price", quote.price, known["price"]):
        return reason
    if quote.price < COARSE and quote.price == round(quote.price, DECIMALS):
        return f"its price of {quote.price:g} is rounded to {DECIMALS} decimals: too coarse"
    if not known.get("market_cap") or not quote.market_cap:
        return "no market cap to compare: it may be another coin"
    return _far("market cap", quote.market_cap, known["market_cap"])


def _far(noun: str, value: float, known: float) -> str | None:
    if known / MAX_RATIO <= value <= known * MAX_RATIO:
        return None
    return (
        f"its {noun} of {value:g} is not between half and twice the known {known:g}: "
        "it may be another coin"
    )


def _by_names(named: Iterable[tuple[T, Row]]) -> dict[tuple[str, str], list[T]]:
    found: dict[tuple[str, str], list[T]] = defaultdict(list)
    for one, names in named:
        symbol, name = _folded(names.get("symbol")), _folded(names.get("name"))
        if symbol and name:
            found[symbol, name].append(one)
    return found


def _folded(text: Any) -> str:
    return " ".join(text.casefold().split()) if isinstance(text, str) else ""
