"""A candle: the prices of one interval of a coin, and how several become one."""

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
    # For putting candles together; no answer shows them, and an hour's rollup keeps the one to the
    # second, and the other not.
    first: datetime = field(compare=False)
    market_cap: float | None = field(compare=False)


def merge(start: datetime, candles: Sequence[Candle]) -> Candle:
    """One candle of several of the same coin; of two that open or close at once, the first's."""
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
    """Candles of the same start, or within the same longer interval, as one; oldest first."""
    parts: dict[datetime, list[Candle]] = {}
    for one in candles:
        start = one.start if interval is None else floor_to(one.start, interval)
        parts.setdefault(start, []).append(one)
    return [_one(start, parts[start]) for start in sorted(parts)]


def floor_to(moment: datetime, interval: timedelta) -> datetime:
    """The start of the interval that a time is in; intervals are counted from 1970, UTC."""
    return moment - (moment - EPOCH) % interval


def ceil_to(moment: datetime, interval: timedelta) -> datetime:
    """The time itself where an interval starts, else the start of the next one."""
    return moment + (EPOCH - moment) % interval


def _one(start: datetime, candles: Sequence[Candle]) -> Candle:
    first = candles[0]
    alone = len(candles) == 1 and first.start == start
    return first if alone else merge(start, candles)
