"""Defines a candle, the prices of a coin in one interval, and merges candles."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

INTERVALS = {
    "15m": timedelta(minutes=15),
    "1h": timedelta(hours=1),
    "4h": timedelta(hours=4),
    "1d": timedelta(days=1),
}
QUARTER, HOUR, FOUR_HOURS, DAY = INTERVALS.values()
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Candle:
    """The prices of start <= at < start + interval, in the collection's currency.

    `volume_24h` is the source's rolling total at the close: never a sum over the candle. `count`
    is the number of quotes, `repaired` how many of them were repaired from history. `as_of`,
    `source` and `market_cap` are the closing quote's, `first` is the opening quote's time.
    """

    coin: str
    start: datetime
    open: float
    high: float
    low: float
    close: float
    volume_24h: float | None
    count: int
    repaired: int
    source: str
    as_of: datetime
    # Needed to merge candles; no answer shows them. An hourly rollup stores `first` to the second,
    # and `market_cap` not at all.
    first: datetime = field(compare=False)
    market_cap: float | None = field(compare=False)


def merge(start: datetime, candles: Sequence[Candle]) -> Candle:
    """Merges candles of one coin; if two open or close at the same time, the first one counts."""
    opening = min(candles, key=lambda one: one.first)
    closing = max(candles, key=lambda one: one.as_of)
    return replace(
        closing,
        start=start,
        open=opening.open,
        first=opening.first,
        high=max(one.high for one in candles),
        low=min(one.low for one in candles),
        count=sum(one.count for one in candles),
        repaired=sum(one.repaired for one in candles),
    )


def merge_by_start(candles: Iterable[Candle], interval: timedelta | None = None) -> list[Candle]:
    """Merges candles with the same start, or within the same longer interval; oldest first."""
    parts: dict[datetime, list[Candle]] = {}
    for one in candles:
        start = one.start if interval is None else floor_to(one.start, interval)
        parts.setdefault(start, []).append(one)
    # A single candle of that start is returned as it is.
    return [
        same[0] if len(same) == 1 and same[0].start == start else merge(start, same)
        for start, same in sorted(parts.items())
    ]


def floor_to(moment: datetime, interval: timedelta) -> datetime:
    """Returns the start of the interval that contains a time; intervals count from 1970, UTC."""
    return moment - (moment - EPOCH) % interval


def ceil_to(moment: datetime, interval: timedelta) -> datetime:
    """Returns the time itself if an interval starts there, else the start of the next one."""
    return moment + (EPOCH - moment) % interval
