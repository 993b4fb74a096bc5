"""Coins and updates for the tests of what the pages say of them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from api_client.client import Coin, Update

AS_OF = datetime(2025, 11, 22, 21, 30, 5, tzinfo=UTC)


def coin(name: str = "Bitcoin", **more: Any) -> Coin:
    """A fresh coin with every number, but for `more`."""
    values: dict[str, Any] = {
        "id": name.lower().replace(" ", "-"),
        "symbol": name[:3].lower(),
        "name": name,
        "rank": 1,
        "state": "active",
        "successor": None,
        "price": 64123.456,
        "market_cap": 1_234_567_890_123,
        "change_24h": 1.2345,
        "volume_24h": 1e9,
        "deviation": 320.61728,
        "deviation_count": 37,
        "as_of": AS_OF,
        "recorded_at": AS_OF + timedelta(seconds=2),
        "age_seconds": 12.3,
        "freshness": "fresh",
        "source": "coingecko",
    }
    return Coin(**{**values, **more})


def never(name: str) -> Coin:
    """A coin of which no quote was ever stored."""
    absent = "rank price market_cap change_24h volume_24h deviation as_of recorded_at age_seconds"
    nothing = dict.fromkeys([*absent.split(), "source"])
    return coin(name, deviation_count=0, freshness="never", **nothing)


def update(**more: Any) -> Update:
    """An update that stored 98 quotes and left 2 out, but for `more`."""
    values: dict[str, Any] = {
        "id": "u1",
        "trigger": "schedule",
        "state": "done",
        "stage": "ended",
        "progress": 1.0,
        "hops": {},
        "slot": AS_OF,
        "received_at": AS_OF,
        "finished_at": AS_OF + timedelta(seconds=3),
        "counts": {"asked": 100, "answered": 100, "stored": 98, "unchanged": 0, "left_out": 2},
        "error": None,
    }
    return Update(**{**values, **more})
