"""A coin's candles by pages: made from its quotes, or read from its rollups where they are."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import pymongo
from pymongo import DESCENDING
from pymongo.collection import Collection
from pymongo.database import Database

from market.model.candle import HOUR, Candle, ceil_to, floor_to
from market.rollups.aggregation import aggregate_candles
from market.rollups.store import RollupStore
from market.storage.database import QUOTES, REPAIRED, Document
from market.storage.quote_history import key_range
from market.storage.watermarks import Watermark, Watermarks

SECONDS = 2.0  # for one page; a year of quotes takes 0.07


@dataclass(frozen=True, slots=True)
class Page:
    """Candles, newest first. Older ones begin before `before`; None says that there are none."""

    candles: list[Candle]
    before: datetime | None


class CandlePages:
    """The candles of one database."""

    def __init__(self, database: Database[Document]) -> None:
        self._database = database
        self._marks = Watermarks(database)

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
        mark = self._marks.of(coin)
        while True:
            with pymongo.timeout(SECONDS):  # it becomes the aggregation's maxTimeMS
                edge = _edge(mark, interval, repaired=repaired)
                page = _Read(self._database, coin, interval, repaired, edge).page(start, end, limit)
                now = self._marks.of(coin)
            if now == mark:
                return page
            mark = now  # quotes went meanwhile from where they were looked for


@dataclass(frozen=True, slots=True)
class _Read:
    """What one page reads: rollups before its edge, quotes from there on.

    The edge is the start of a day, or None where there is no rollup to read. With repaired quotes
    it is where the originals begin, since what is still mended is in no rollup.
    """

    database: Database[Document]
    coin: str
    interval: timedelta
    repaired: bool
    edge: datetime | None

    def page(self, start: datetime | None, end: datetime | None, limit: int) -> Page:
        interval = self.interval
        first = None if start is None else ceil_to(start, interval)
        last = None if end is None else ceil_to(end, interval)
        newest = self._newest(first, last)
        if newest is None:
            return Page([], None)
        top = floor_to(newest, interval)
        oldest = top - (limit - 1) * interval
        if first is not None:
            oldest = max(oldest, first)
        found = self._candles(oldest, top + interval)
        return Page(found[::-1], oldest if self._newest(first, oldest) else None)

    def _candles(self, start: datetime, end: datetime) -> list[Candle]:
        """The candles of start <= at < end, oldest first."""
        edge = start if self.edge is None else min(max(self.edge, start), end)
        which = self.coin, self.interval
        found: list[Candle] = []
        if start < edge:
            found += RollupStore(self.database).candles(*which, start, edge, repaired=self.repaired)
        if edge < end:
            found += aggregate_candles(self.database, *which, edge, end, repaired=self.repaired)
        return found

    def _newest(self, start: datetime | None, end: datetime | None) -> datetime | None:
        """A time in the newest candle of a coin in start <= at < end."""
        edge = self.edge
        names = (QUOTES, REPAIRED) if self.repaired else (QUOTES,)
        collections = [self.database[name] for name in names]
        if edge is None:
            return _newest(collections, self.coin, start, end)
        found = None
        if end is None or edge < end:
            found = _newest(collections, self.coin, max(filter(None, (start, edge))), end)
        if found is None and (start is None or start < edge):
            stop = edge if end is None else min(edge, end)
            found = RollupStore(self.database).newest(
                self.coin, start, stop, repaired=self.repaired
            )
        return found


def _edge(mark: Watermark, interval: timedelta, *, repaired: bool) -> datetime | None:
    if interval < HOUR:
        return None
    return mark.kept_from if repaired else mark.until


def _newest(
    collections: Iterable[Collection[Document]],
    coin: str,
    start: datetime | None,
    end: datetime | None,
) -> datetime | None:
    """The time of a coin's newest quote in start <= at < end."""
    query = {"_id": key_range(coin, start, end)}
    found = [one.find_one(query, {"_id": 1}, sort=[("_id", DESCENDING)]) for one in collections]
    return max((one["_id"]["at"] for one in found if one), default=None)
