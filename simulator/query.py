"""What one call of /coins/markets asks of the market behind the simulator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from simulator.timestamps import DAY, HOUR

CHANGES = {
    "1h": HOUR,
    "24h": DAY,
    "7d": 7 * DAY,
    "14d": 14 * DAY,
    "30d": 30 * DAY,
    "200d": 200 * DAY,
    "1y": 365 * DAY,
}

Row = dict[str, Any]
"""A JSON object of an answer, such as a coin's row."""


@dataclass(frozen=True, kw_only=True)
class Query:
    """What one call of /coins/markets asks for.

    `ids` None means the whole list. `without` are ids to leave out before the pages are cut.
    `key` is the path with its query string; a replay counts by it.
    """

    currency: str = "usd"
    ids: tuple[str, ...] | None = None
    per_page: int = 100
    page: int = 1
    order: str = "market_cap_desc"
    changes: tuple[str, ...] = ()
    sparkline: bool = False
    precision: str | None = None
    rehypothecated: bool = False
    without: frozenset[str] = frozenset()
    key: str = ""
