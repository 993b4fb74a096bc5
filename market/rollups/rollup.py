"""Rolls up a coin's recorded quotes of past days into stored candles."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

import pymongo
from pymongo.client_session import ClientSession
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from market.model.candle import DAY, HOUR, Candle, floor_to, merge_by_start
from market.rollups.aggregation import aggregate_candles
from market.rollups.store import RollupStore
from market.storage.database import QUOTES, Document
from market.storage.quote_history import oldest_time
from market.storage.watermarks import Watermark, Watermarks

DAYS_PER_STEP = 30 * DAY  # 2,880 quotes of 15 minutes
SECONDS = 20.0


class RollupBuilder:
    """Builds rollups from quotes, in steps that may be repeated or run twice at once.

    A step rebuilds whole days from all their quotes. One transaction stores them and advances the
    coin's watermark. It does neither if the watermark changed meanwhile: a quote came late, or
    another process was faster. By then the retention may have moved that quote into the candles,
    so candles computed before must not replace them.
    """

    def __init__(self, database: Database[Document]) -> None:
        self._database = database
        self._watermarks = Watermarks(database)
        self._rollups = RollupStore(database)

    def step(self, coin: str, until: datetime) -> bool:
        """Rolls up a coin's next 30 days, none after `until`; returns whether there may be more."""
        watermark, end = self._watermarks.of(coin), floor_to(until, DAY)
        oldest = oldest_time([self._database[QUOTES]], coin, watermark.until, end)
        if oldest is None:
            return False
        start = floor_to(oldest, DAY)
        stop = min(end, start + DAYS_PER_STEP)
        with pymongo.timeout(SECONDS):
            candles = aggregate_candles(self._database, coin, HOUR, start, stop, repaired=False)
            # A DuplicateKeyError: another process has created the coin's watermark.
            with self._database.client.start_session() as session, suppress(DuplicateKeyError):
                session.with_transaction(
                    lambda session: self._store(watermark, stop, candles, session)
                )
        return True

    def _store(
        self, seen: Watermark, stop: datetime, candles: Sequence[Candle], session: ClientSession
    ) -> None:
        if self._watermarks.set_rolled_up(seen, stop, session):
            days = merge_by_start(candles, DAY)
            self._rollups.keep(candles, days, repaired=False, session=session)
