"""Moves quotes older than the retention into the stored candles."""

from datetime import datetime
from functools import partial

import pymongo
from pymongo import DESCENDING
from pymongo.client_session import ClientSession
from pymongo.database import Database
from pymongo.read_concern import ReadConcern

from market.model.candle import DAY, HOUR, floor_to, merge_by_start
from market.model.quotes import DEVIATION_WINDOW
from market.rollups.aggregation import aggregate_candles
from market.rollups.store import RollupStore
from market.storage.database import QUOTE_COLLECTIONS, QUOTES, Document
from market.storage.quote_history import key_range, oldest_time
from market.storage.watermarks import Watermark, Watermarks

# 960 quotes of 15 minutes: MongoDB recommends at most 1,000 writes in a transaction.
DAYS_PER_STEP = 10 * DAY
SECONDS = 20.0


class Retention:
    """Deletes the original quotes, recorded and repaired, of whole days, in steps.

    Each step is one transaction: it builds the rollups of some days from all their quotes, deletes
    exactly these quotes and advances the coin's watermark. So a quote is always in one of the two,
    even if a step dies, runs twice, or a quote comes late meanwhile.
    """

    def __init__(self, database: Database[Document]) -> None:
        self._database = database
        self._watermarks = Watermarks(database)
        self._rollups = RollupStore(database)

    def step(self, coin: str, edge: datetime | None) -> bool:
        """Moves up to 10 days of a coin's quotes from before `edge`; returns if there may be more.

        It keeps as many quotes as a request for 100 records as of `edge` needs, so a coin with
        fewer keeps them all. Without an `edge` it moves only late quotes, of days whose originals
        are deleted already.
        """
        end = self._end(self._watermarks.of(coin), edge)
        if end is None:
            return False
        collections = [self._database[name] for name in QUOTE_COLLECTIONS]
        oldest = oldest_time(collections, coin, None, end)
        if oldest is None:
            return False
        start = floor_to(oldest, DAY)
        stop = min(end, start + DAYS_PER_STEP)
        with pymongo.timeout(SECONDS), self._database.client.start_session() as session:
            session.with_transaction(
                lambda session: self._move(coin, start, stop, edge, session),
                read_concern=ReadConcern("snapshot"),
            )
        return True

    def _end(self, watermark: Watermark, edge: datetime | None) -> datetime | None:
        """Returns the day before which a coin's originals are to be deleted."""
        deleted = watermark.kept_from
        if edge is None:
            return deleted
        known = {"_id": key_range(watermark.coin, None, edge), "recorded_at": {"$lte": edge}}
        newest = self._database[QUOTES].find(known, {"_id": 1}).sort("_id", DESCENDING)
        found = list(newest.skip(DEVIATION_WINDOW - 1).limit(1))
        ends = [deleted, floor_to(found[0]["_id"]["at"], DAY) if found else None]
        return max(filter(None, ends), default=None)

    def _move(
        self,
        coin: str,
        start: datetime,
        end: datetime,
        edge: datetime | None,
        session: ClientSession,
    ) -> None:
        watermark = self._watermarks.of(coin, session)
        # Where originals are deleted already, the rollups hold more than the late quotes.
        is_late = watermark.kept_from is not None and start < watermark.kept_from
        if is_late and watermark.kept_from is not None:
            end = min(end, watermark.kept_from)
        made = []
        for repaired in (False, True):
            hours = aggregate_candles(
                self._database, coin, HOUR, start, end, repaired=repaired, session=session
            )
            days = merge_by_start(hours, DAY)
            if is_late:
                read = partial(
                    self._rollups.candles, start=start, end=end, repaired=repaired, session=session
                )
                hours = merge_by_start((*read(coin, HOUR), *hours))
                days = merge_by_start((*read(coin, DAY), *days))
            made.append((hours, days))
        (hours, days), with_repaired = made
        self._rollups.keep(hours, days, repaired=False, session=session)
        hours, days = ([one for one in each if one.repaired] for each in with_repaired)
        self._rollups.keep(hours, days, repaired=True, session=session)
        for name in QUOTE_COLLECTIONS:
            query = {"_id": key_range(coin, start, end)}
            self._database[name].delete_many(query, session=session)
        self._watermarks.set_deleted(watermark, end, edge, session)
