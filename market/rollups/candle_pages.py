"""Reads a coin's candles page by page, from its rollups where they exist, else from its quotes."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import pymongo
from pymongo.database import Database

from market.model.candle import HOUR, Candle, ceil_to, floor_to
from market.rollups.aggregation import aggregate_candles
from market.rollups.store import RollupStore
from market.storage.database import QUOTE_COLLECTIONS, QUOTES, Document
from market.storage.quote_history import newest_time
from market.storage.watermarks import Watermarks

SECONDS = 2.0  # for one page; a year of quotes takes 0.07


@dataclass(frozen=True, slots=True)
class Page:
    """Candles, newest first. Older ones start before `before`; None means that there are none."""

    candles: list[Candle]
    before: datetime | None


class CandlePages:
    """The candles of one database."""

    def __init__(self, database: Database[Document]) -> None:
        self._database = database
        self._watermarks = Watermarks(database)

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
        """Returns the candles with start <= their start < end, in the newest `limit` intervals.

        The intervals are counted from the newest candle, without omitting any. So a page reads the
        quotes of at most `limit` intervals, whatever is stored, and has fewer candles where quotes
        are missing. An interval without a quote has no candle.
        """
        watermark = self._watermarks.of(coin)
        while True:
            edge = None
            if interval >= HOUR:
                # Rollups lack gaps repaired later, so with repaired quotes only what is deleted
                # from the quotes comes from the rollups.
                edge = watermark.kept_from if repaired else watermark.until
            with pymongo.timeout(SECONDS):  # it becomes the aggregation's maxTimeMS
                read = _PageReader(self._database, coin, interval, repaired, edge)
                page = read.page(start, end, limit)
                current = self._watermarks.of(coin)
            if current == watermark:
                return page
            watermark = current  # quotes were moved meanwhile from where the page looked


@dataclass(frozen=True, slots=True)
class _PageReader:
    """Reads one page: rollups before `edge`, quotes from there on.

    The edge is the start of a day, or None if there is no rollup to read.
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
        candles = self._candles(oldest, top + interval)
        return Page(candles[::-1], oldest if self._newest(first, oldest) else None)

    def _candles(self, start: datetime, end: datetime) -> list[Candle]:
        """Returns the candles of start <= at < end, oldest first."""
        edge = start if self.edge is None else min(max(self.edge, start), end)
        series, repaired = (self.coin, self.interval), self.repaired
        found: list[Candle] = []
        if start < edge:
            found += RollupStore(self.database).candles(*series, start, edge, repaired=repaired)
        if edge < end:
            found += aggregate_candles(self.database, *series, edge, end, repaired=repaired)
        return found

    def _newest(self, start: datetime | None, end: datetime | None) -> datetime | None:
        """Returns a time within the newest candle of start <= at < end."""
        edge, found = self.edge, None
        names = QUOTE_COLLECTIONS if self.repaired else (QUOTES,)
        if edge is None or end is None or edge < end:
            collections = [self.database[name] for name in names]
            first = max(filter(None, (start, edge)), default=None)
            found = newest_time(collections, self.coin, first, end)
        if found is None and edge is not None and (start is None or start < edge):
            stop = edge if end is None else min(edge, end)
            rollups = RollupStore(self.database)
            found = rollups.newest(self.coin, start, stop, repaired=self.repaired)
        return found
