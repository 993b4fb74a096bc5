"""Stores rollups: a coin's hourly and daily candles, in one document for each day."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby, repeat

from pymongo import ASCENDING, DESCENDING, ReplaceOne
from pymongo.client_session import ClientSession
from pymongo.database import Database

from market.model.candle import DAY, HOUR, Candle, ceil_to, floor_to, merge_by_start
from market.rollups.codec import above, lowered, numbers, raised, steps, whole, wholes
from market.storage.database import DAILY, DAILY_REPAIRED, HOURLY, HOURLY_REPAIRED, Document
from market.storage.quote_history import MILLISECOND, key_range

SECOND = timedelta(seconds=1)


class RollupStore:
    """The collections `hourly` and `daily` of one database, with a document for each coin and day.

    They are computed from recorded quotes. `hourly_repaired` and `daily_repaired` hold the candles
    that differ when repaired quotes count too, computed from both. These are stored only once the
    originals are deleted.
    """

    def __init__(self, database: Database[Document]) -> None:
        self._database = database

    def candles(
        self,
        coin: str,
        interval: timedelta,
        start: datetime,
        end: datetime,
        *,
        repaired: bool,
        session: ClientSession | None = None,
    ) -> list[Candle]:
        """Returns a coin's stored candles with start <= their start < end, oldest first.

        `interval` is a day, or a number of whole hours that divides a day.
        """
        if interval == DAY:
            kinds, read = (DAILY, DAILY_REPAIRED), _day
        else:
            kinds, read = (HOURLY, HOURLY_REPAIRED), _hours
        first, last = floor_to(start, DAY), ceil_to(end, DAY)
        found: dict[datetime, Candle] = {}
        for kind in kinds[: 1 + repaired]:
            documents = self._database[kind].find(
                {"_id": key_range(coin, first, last)}, session=session
            )
            days = documents.sort("_id", ASCENDING).batch_size(1000)
            found |= {one.start: one for day in days for one in read(day)}
        hours = [found[at] for at in sorted(found)]
        made = hours if interval in (HOUR, DAY) else merge_by_start(hours, interval)
        return [one for one in made if start <= one.start < end]

    def newest(
        self, coin: str, start: datetime | None, end: datetime | None, *, repaired: bool
    ) -> datetime | None:
        """Returns the start of a coin's newest stored hour with start <= it < end."""
        kinds = (HOURLY, HOURLY_REPAIRED)[: 1 + repaired]
        return max(
            filter(None, (self._newest(kind, coin, start, end) for kind in kinds)), default=None
        )

    def keep(
        self,
        hours: Sequence[Candle],
        days: Sequence[Candle],
        *,
        repaired: bool,
        session: ClientSession | None = None,
    ) -> None:
        """Stores whole days of one coin, oldest first, and replaces existing ones.

        `hours` are their hourly candles, `days` the same days as daily candles.
        """
        if not days:
            return
        hourly, daily = (HOURLY_REPAIRED, DAILY_REPAIRED) if repaired else (HOURLY, DAILY)
        by_day = groupby(hours, lambda one: floor_to(one.start, DAY))
        kept = {
            hourly: [_columns(list(parts)) for _, parts in by_day],
            daily: [_row(one) for one in days],
        }
        for kind, documents in kept.items():
            writes = [ReplaceOne({"_id": one["_id"]}, one, upsert=True) for one in documents]
            self._database[kind].bulk_write(writes, session=session)

    def _newest(
        self, kind: str, coin: str, start: datetime | None, end: datetime | None
    ) -> datetime | None:
        first = None if start is None else floor_to(start, DAY)
        query = {"_id": key_range(coin, first, end)}
        for day in self._database[kind].find(query).sort("_id", DESCENDING).limit(2):
            for at in reversed(_starts(day)):
                if (end is None or at < end) and (start is None or at >= start):
                    return at
        return None


def _starts(day: Document) -> list[datetime]:
    return [day["_id"]["at"] + hour * HOUR for hour in wholes(day["hours"])]


def _columns(hours: Sequence[Candle]) -> Document:
    """Encodes the hours of one day as columns of numbers.

    Open and close are stored as differences from one to the next, high and low as distances from
    open and close, `first` in seconds and `last` in milliseconds of the hour.
    """
    tops = [max(one.open, one.close) for one in hours]
    bottoms = [min(one.open, one.close) for one in hours]
    day = floor_to(hours[0].start, DAY)
    document: Document = {
        "_id": {"coin": hours[0].coin, "at": day},
        "hours": whole((one.start - day) // HOUR for one in hours),
        "open_close": steps(price for one in hours for price in (one.open, one.close)),
        "high": above((one.high for one in hours), tops),
        "low": above(bottoms, (one.low for one in hours)),
        "volume_24h": steps(one.volume_24h for one in hours),
        "count": whole(one.count for one in hours),
        "first": whole((one.first - one.start) // SECOND for one in hours),
        "last": whole((one.as_of - one.start) // MILLISECOND for one in hours),
        "sources": _without_repetition([one.source for one in hours]),
    }
    repaired = [one.repaired for one in hours]
    return document | {"repaired": whole(repaired)} if any(repaired) else document


def _hours(document: Document) -> Iterator[Candle]:
    coin, starts = document["_id"]["coin"], _starts(document)
    prices = [price for price in numbers(document["open_close"]) if price is not None]
    opens, closes = prices[::2], prices[1::2]
    sources = document["sources"]
    return map(
        Candle,
        repeat(coin),
        starts,
        opens,
        raised(document["high"], map(max, opens, closes)),
        lowered(document["low"], map(min, opens, closes)),
        closes,
        numbers(document["volume_24h"]),
        wholes(document["count"]),
        wholes(document.get("repaired", "0 " * len(starts))),
        sources * len(starts) if len(sources) == 1 else sources,
        _times(document["last"], starts, MILLISECOND),
        _times(document["first"], starts, SECOND),
        repeat(None),
    )


def _times(text: str, starts: Sequence[datetime], unit: timedelta) -> list[datetime]:
    return [start + n * unit for start, n in zip(starts, wholes(text), strict=True)]


def _without_repetition(sources: list[str]) -> list[str]:
    return sources[:1] if len(set(sources)) == 1 else sources


DAY_FIELDS = (
    *("open", "high", "low", "close", "count", "repaired"),
    *("volume_24h", "market_cap", "source", "first", "as_of"),
)


def _row(day: Candle) -> Document:
    """Encodes a day as a document with one field for each value."""
    key = {"coin": day.coin, "at": day.start}
    return {"_id": key} | {name: getattr(day, name) for name in DAY_FIELDS}


def _day(document: Document) -> Iterator[Candle]:
    key = document.pop("_id")
    yield Candle(coin=key["coin"], start=key["at"], **document)
