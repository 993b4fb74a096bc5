"""Statistics as a chart's band draws them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from api_client.coin_history import MEASURES, Statistics

START = datetime(2025, 11, 20, tzinfo=UTC)


QUARTER = timedelta(minutes=15)


def band(**more: Any) -> Statistics:
    values: dict[str, Any] = dict.fromkeys(MEASURES) | {"mean": 100.0, "deviation": 20.0, "min": 90}
    return Statistics(
        coin="bitcoin",
        source="coingecko",
        count=3,
        repaired=0,
        expected=3,
        gaps=0,
        oldest=START,
        newest=START + 2 * QUARTER,
        age_seconds=1.0,
        measures=values | more,
        interval=None,
        notes={},
    )
