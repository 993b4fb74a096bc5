"""Parses rows of `/coins/markets` into quotes, or into the reason why a coin is skipped."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, TypeGuard

from market.sources.lenient_json import Unreadable

MAX_ID_LENGTH = 128
MAX_TEXT_LENGTH = 100  # CoinGecko's longest name had 71 characters in August 2025
MAX_URL_LENGTH = 2048  # recorded images have up to 282 characters
GENESIS = datetime(2009, 1, 3, tzinfo=UTC)  # bitcoin's first block: no coin has an older price
# Control characters, and lone surrogates, which MongoDB cannot store.
UNSTORABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
CLOCK_SKEW = timedelta(minutes=10)
DEVIATION_WINDOW = 100  # the newest quotes over which a deviation is computed by default

# Ids that CoinGecko retired, with the ids that replaced them.
SUCCESSORS = {"matic-network": "polygon-ecosystem-token"}


class Quote(NamedTuple):
    """One coin's values from the source: prices in the collection's currency, change in percent.

    `at` is the source's own `last_updated`. A number that the source omits is None. `source` is the
    source's name; if it is empty, the store sets it. A tuple, since an update creates up to 20,000:
    a frozen dataclass takes three times as long.
    """

    coin: str
    at: datetime
    price: float
    market_cap: float | None
    change_24h: float | None
    volume_24h: float | None
    name: str
    symbol: str
    rank: int | None
    image: str | None
    source: str = ""


@dataclass(frozen=True, slots=True)
class SkippedCoin:
    """A coin without a usable quote, with the reason in plain words."""

    coin: str
    reason: str


def parse_row(row: Any, now: datetime, source: str = "") -> Quote | SkippedCoin:
    """Parses one row of `/coins/markets` as a quote of `source`; never raises."""
    if isinstance(row, Unreadable):
        return SkippedCoin(row.id if _is_id(row.id) else "?", row.reason)
    if not isinstance(row, Mapping):
        return SkippedCoin("?", f"the row is no object but {type(row).__name__}")
    coin = row.get("id")
    if not _is_id(coin):
        return SkippedCoin(_shown(coin), "its id is not 1 to 128 printable characters")
    price = finite(row.get("current_price"))
    if price is None or price < 0:
        return SkippedCoin(coin, f"its price is {_shown(row.get('current_price'))}")
    at = timestamp(row.get("last_updated"))
    if at is None or at < GENESIS or at > now + CLOCK_SKEW:
        return SkippedCoin(coin, f"its last_updated is {_shown(row.get('last_updated'))}")
    rank = finite(row.get("market_cap_rank"))
    market_cap = _not_negative(row.get("market_cap"))
    return Quote(
        coin=coin,
        at=at,
        price=price,
        # For a coin with an unknown supply the source reports 0 and no rank.
        market_cap=None if market_cap == 0 and rank is None else market_cap,
        change_24h=finite(row.get("price_change_percentage_24h")),
        volume_24h=_not_negative(row.get("total_volume")),
        name=_text(row.get("name")) or coin,
        symbol=_text(row.get("symbol")) or "",
        rank=int(rank) if rank is not None and 1 <= rank < 1e9 else None,
        image=_url(row.get("image")),
        source=source,
    )


def finite(value: Any) -> float | None:
    """Returns a number as a finite float, else None, so that no NaN is ever stored."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def timestamp(value: Any) -> datetime | None:
    """Parses an ISO-8601 time with a zone into UTC milliseconds (MongoDB's resolution), or None."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            return None
        if moment.tzinfo is not UTC:
            moment = moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    beyond = moment.microsecond % 1000
    return moment.replace(microsecond=moment.microsecond - beyond) if beyond else moment


def _not_negative(value: Any) -> float | None:
    number = finite(value)
    return number if number is not None and number >= 0 else None


def _is_id(value: Any) -> TypeGuard[str]:
    return isinstance(value, str) and 0 < len(value) <= MAX_ID_LENGTH and value.isprintable()


def _text(value: Any) -> str | None:
    if not isinstance(value, str):
        return None
    text = value[:MAX_TEXT_LENGTH]
    return text if text.isprintable() else UNSTORABLE.sub("\ufffd", text)


def _url(value: Any) -> str | None:
    # A truncated URL would be a different address.
    whole = isinstance(value, str) and 0 < len(value) <= MAX_URL_LENGTH
    return value if whole and value.isprintable() else None


def _shown(value: Any) -> str:
    """Formats a value for the ledger: short, whatever was sent."""
    try:
        text = "null" if value is None else repr(value)
    except (ValueError, RecursionError):  # an int of over 4,300 digits; lists a thousand deep
        return f"too large to show ({type(value).__name__})"
    return text if len(text) <= 80 else text[:77] + "..."
