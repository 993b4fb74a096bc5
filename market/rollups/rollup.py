"""Rolls up a coin's recorded quotes of past days into the candles that are kept."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

import pymongo
from pymongo import ASCENDING
from pymongo.client_session import ClientSession
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from market.model.candle import DAY, HOUR, Candle, floor_to, merge_by_start
from market.rollups.aggregation import aggregate_candles
from market.rollups.store import RollupStore
from market.storage.database import QUOTES
from market.storage.quote_history import key_range
from market.storage.watermarks import Watermark, Watermarks

AT_ONCE = 30 * DAY  # 2,880 quotes of 15 minutes
SECONDS = 20.0

Document = dict[str, Any]


class RollupBuilder:
    """Makes rollups from quotes, in steps that may be repeated, or done by two at once.

    A step makes whole days anew from all their quotes. It keeps them and moves the coin's mark on
    in one transaction, and does neither if the mark was changed meanwhile: a quote came late, or
    another process was faster. The retention may have moved that quote into the candles by then, so
    that candles from before it must not take their place.
    """

    def __init__(self, database: Database[Document]) -> None:
        self._database = database
        self._marks = Watermarks(database)
        self._rollups = RollupStore(database)

    def step(self, coin: str, until: datetime) -> bool:
        """Rolls up the next 30 days of a coin, none after `until`; whether there may be more."""
        mark, end = self._marks.of(coin), floor_to(until, DAY)
        start = self._oldest(mark, end)
        if start is None:
            return False
        stop = min(end, start + AT_ONCE)
        with pymongo.timeout(SECONDS):
            candles = aggregate_candles(self._database, coin, HOUR, start, stop, repaired=False)
            # A DuplicateKeyError: another process has made the coin's first mark.
            with self._database.client.start_session() as session, suppress(DuplicateKeyError):
                session.with_transaction(lambda session: self._keep(mark, stop, candles, session))
        return True

    def _keep(
        self, mark: Watermark, stop: datetime, candles: Sequence[Candle], session: ClientSession
    ) -> None:
        if self._marks.rolled_up(mark, stop, session):
            days = merge_by_start(candles, DAY)
            self._rollups.keep(candles, days, repaired=False, session=session)

    def _oldest(self, mark: Watermark, end: datetime) -> datetime | None:
        """The day of a coin's oldest quote that is not rolled up yet."""
        among = {"_id": key_range(mark.coin, mark.until, end)}
        found = self._database[QUOTES].find_one(among, {"_id": 1}, sort=[("_id", ASCENDING)])
        return floor_to(found["_id"]["at"], DAY) if found else None
