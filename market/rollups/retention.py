"""Moves what is older than the retention from the quotes into the candles that are kept."""

from datetime import datetime
from functools import partial
from typing import Any

import pymongo
from pymongo import ASCENDING, DESCENDING
from pymongo.client_session import ClientSession
from pymongo.database import Database
from pymongo.read_concern import ReadConcern

from market.model.candle import DAY, HOUR, floor_to, merge_by_start
from market.model.quotes import DEVIATION_WINDOW
from market.rollups.aggregation import aggregate_candles
from market.rollups.store import RollupStore
from market.storage.database import QUOTES, SERIES
from market.storage.quote_history import key_range
from market.storage.watermarks import Watermark, Watermarks

AT_ONCE = 10 * DAY  # 960 quotes of 15 minutes: MongoDB advises 1,000 writes a transaction at most
SECONDS = 20.0

Document = dict[str, Any]


class Retention:
    """Deletes originals, recorded and repaired, of whole days, in steps.

    Each step is one transaction: it makes the rollups of some days from all their quotes, deletes
    just these quotes and moves the coin's mark on. So a quote is always in one of the two, also
    when a step dies, when two do the same, or when a quote comes late meanwhile.
    """

    def __init__(self, database: Database[Document]) -> None:
        self._database = database
        self._marks = Watermarks(database)
        self._rollups = RollupStore(database)

    def step(self, coin: str, edge: datetime | None) -> bool:
        """Moves up to 10 days of a coin's quotes from before `edge`; whether there may be more.

        Kept are as many as 100 records need that are asked for as of `edge`, so that a coin with
        fewer keeps them all. Without an `edge` only what came late is moved: quotes of days whose
        originals are gone already.
        """
        mark = self._marks.of(coin)
        end = self._end(mark, edge)
        if end is None:
            return False
        start = self._oldest(coin, end)
        if start is None:
            return False
        stop = min(end, start + AT_ONCE)
        with pymongo.timeout(SECONDS), self._database.client.start_session() as session:
            session.with_transaction(
                lambda session: self._move(coin, start, stop, edge, session),
                read_concern=ReadConcern("snapshot"),
            )
        return True

    def _end(self, mark: Watermark, edge: datetime | None) -> datetime | None:
        """The day before which a coin's originals are to go."""
        gone = mark.kept_from
        if edge is None:
            return gone
        known = {"_id": key_range(mark.coin, None, edge), "recorded_at": {"$lte": edge}}
        newest = self._database[QUOTES].find(known, {"_id": 1}).sort("_id", DESCENDING)
        found = list(newest.skip(DEVIATION_WINDOW - 1).limit(1))
        ends = [gone, floor_to(found[0]["_id"]["at"], DAY) if found else None]
        return max(filter(None, ends), default=None)

    def _oldest(self, coin: str, end: datetime) -> datetime | None:
        query = {"_id": key_range(coin, None, end)}
        found = (
            self._database[name].find_one(query, {"_id": 1}, sort=[("_id", ASCENDING)])
            for name in SERIES
        )
        return min((floor_to(one["_id"]["at"], DAY) for one in found if one), default=None)

    def _move(
        self,
        coin: str,
        start: datetime,
        end: datetime,
        edge: datetime | None,
        session: ClientSession,
    ) -> None:
        mark = self._marks.of(coin, session)
        # Where originals are gone already, the rollups hold more than the quotes that came late.
        came_late = mark.kept_from is not None and start < mark.kept_from
        if came_late and mark.kept_from is not None:
            end = min(end, mark.kept_from)
        made = []
        for repaired in (False, True):
            stretch_of_it = (coin, HOUR, start, end)
            hours = aggregate_candles(
                self._database, *stretch_of_it, repaired=repaired, session=session
            )
            days = merge_by_start(hours, DAY)
            if came_late:
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
        for name in SERIES:
            self._database[name].delete_many({"_id": key_range(coin, start, end)}, session=session)
        self._marks.moved(mark, end, edge, session)
