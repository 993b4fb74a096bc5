"""Candles: open, high, low and close of a coin's prices, by interval."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pymongo
from pymongo import ASCENDING, DESCENDING
from pymongo.collection import Collection
from pymongo.database import Database

from market.database import QUOTES, REPAIRED, Document
from market.history import stretch

INTERVALS = {
    "15m": timedelta(minutes=15),
    "1h": timedelta(hours=1),
    "4h": timedelta(hours=4),
    "1d": timedelta(days=1),
}
SECONDS = 2.0  # for one aggregation; a year of quotes takes 0.07
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Candle:
    """The prices of start <= at < start + interval, in the collection's currency.

    `volume_24h` is the source's rolling total at the close: never a sum over the candle. `count`
    is the number of quotes, `repaired` how many of them were repaired from history. `as_of` and
    `source` are the closing quote's.
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


@dataclass(frozen=True, slots=True)
class Page:
    """Candles, newest first. Older ones begin before `before`; None says that there are none."""

    candles: list[Candle]
    before: datetime | None


class Candles:
    """The candles of one database, made from its quotes when they are asked for."""

    def __init__(self, database: Database[Document]) -> None:
        self._quotes: Collection[Document] = database[QUOTES]
        self._repaired: Collection[Document] = database[REPAIRED]

    def page(
        self,
        coin: str,
        interval: timedelta,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        limit: int,
        repaired: bool = False,
    ) -> Page:
        """The candles with start <= their start < end, in the newest `limit` intervals of those.

        The intervals are counted from the newest candle, and none is left out: so a page reads no
        more than `limit` intervals' quotes, whatever is stored, and has fewer candles where quotes
        are missing. An interval without a quote has no candle.
        """
        collections = [self._quotes, self._repaired] if repaired else [self._quotes]
        first, last = _up(start, interval), _up(end, interval)
        newest = _newest(collections, coin, first, last)
        if newest is None:
            return Page([], None)
        top = down(newest, interval)
        oldest = top - (limit - 1) * interval
        if first is not None:
            oldest = max(oldest, first)
        stages = pipeline(coin, interval, oldest, top + interval, repaired=repaired)
        with pymongo.timeout(SECONDS):  # it becomes the aggregation's maxTimeMS
            found = [_candle(coin, one) for one in self._quotes.aggregate(stages)]
        found.sort(key=lambda candle: candle.start, reverse=True)
        return Page(found, oldest if _newest(collections, coin, first, oldest) else None)


def pipeline(
    coin: str, interval: timedelta, start: datetime, end: datetime, *, repaired: bool
) -> list[Document]:
    """The stages that make candles of a coin's start <= at < end, in no order.

    No stage sorts: recorded and repaired quotes, each in their collection's order, are made into
    candles of their own, and those into one where an interval has both.
    """
    among = {"$match": {"_id": stretch(coin, start, end)}}
    in_order: Document = {"$sort": {"_id": ASCENDING}}
    recorded = [among, in_order, _grouped(interval, repaired=False)]
    if not repaired:
        return recorded
    late = [among, in_order, *_WITHOUT_A_RECORDED, _grouped(interval, repaired=True)]
    return [*recorded, {"$unionWith": {"coll": REPAIRED, "pipeline": late}}, _JOINED]


def _grouped(interval: timedelta, *, repaired: bool) -> Document:
    """Quotes, oldest first, as candles."""
    minutes = interval // timedelta(minutes=1)
    return {
        "$group": {
            "_id": {"$dateTrunc": {"date": "$_id.at", "unit": "minute", "binSize": minutes}},
            "opened": {"$first": "$_id.at"},
            "open": {"$first": "$price"},
            "high": {"$max": "$price"},
            "low": {"$min": "$price"},
            **{name: {"$last": f"${field}"} for name, field in _AT_THE_CLOSE.items()},
            "count": {"$sum": 1},
            "repaired": {"$sum": int(repaired)},
        }
    }


_AT_THE_CLOSE = {
    "close": "price",
    "volume_24h": "volume_24h",
    "source": "source",
    "as_of": "_id.at",
}
# Where a recorded quote has the same key, it stands.
_WITHOUT_A_RECORDED: list[Document] = [
    {"$lookup": {"from": QUOTES, "localField": "_id", "foreignField": "_id", "as": "recorded"}},
    {"$match": {"recorded": []}},
]
_JOINED: Document = {
    "$group": {
        "_id": "$_id",
        "opened": {"$min": "$opened"},
        "open": {"$top": {"sortBy": {"opened": ASCENDING}, "output": "$open"}},
        "high": {"$max": "$high"},
        "low": {"$min": "$low"},
        **{
            name: {"$bottom": {"sortBy": {"as_of": ASCENDING}, "output": f"${name}"}}
            for name in _AT_THE_CLOSE
        },
        "count": {"$sum": "$count"},
        "repaired": {"$sum": "$repaired"},
    }
}


def _newest(
    collections: Iterable[Collection[Document]],
    coin: str,
    start: datetime | None,
    end: datetime | None,
) -> datetime | None:
    """The time of a coin's newest quote in start <= at < end."""
    query = {"_id": stretch(coin, start, end)}
    found = [one.find_one(query, {"_id": 1}, sort=[("_id", DESCENDING)]) for one in collections]
    return max((one["_id"]["at"] for one in found if one), default=None)


def down(moment: datetime, interval: timedelta) -> datetime:
    """The start of the interval that a time is in; intervals are counted from 1970, UTC."""
    return moment - (moment - EPOCH) % interval


def _up(moment: datetime | None, interval: timedelta) -> datetime | None:
    return None if moment is None else moment + (EPOCH - moment) % interval


def _candle(coin: str, found: dict[str, Any]) -> Candle:
    start, _ = found.pop("_id"), found.pop("opened")
    return Candle(coin=coin, start=start, **found)
