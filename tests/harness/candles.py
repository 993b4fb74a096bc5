"""Candles made by hand."""

from datetime import datetime, timedelta

from market.model.candle import (
    Candle,
)


def candle(start: datetime, first: int, last: int, *prices: float, repaired: int = 0) -> Candle:
    """One whose quotes came from `first` to `last` minutes after its start."""
    return Candle(
        coin="bitcoin",
        start=start,
        open=prices[0],
        high=max(prices),
        low=min(prices),
        close=prices[-1],
        volume_24h=prices[-1] * 10,
        count=len(prices),
        repaired=repaired,
        source=f"from {prices[-1]}",
        as_of=start + timedelta(minutes=last),
        first=start + timedelta(minutes=first),
        market_cap=None,
    )
