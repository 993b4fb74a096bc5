"""Times as whole milliseconds since 1970, UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR


@lru_cache(maxsize=4096)
def _iso_second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def iso(at: int) -> str:
    """Formats milliseconds as CoinGecko does: 2026-07-02T01:50:16.954Z."""
    return f"{_iso_second(at // SECOND)}.{at % SECOND:03d}Z"
