"""Runs the rollup and the retention of all coins, in steps that a later run resumes."""

from collections.abc import Generator
from datetime import datetime

from pymongo.database import Database

from market.model.candle import DAY, floor_to
from market.rollups.retention import Retention
from market.rollups.rollup import RollupBuilder
from market.storage.database import Document
from market.storage.quote_history import QuoteStream
from market.storage.quote_store import QuoteStore
from market.storage.watermarks import Watermark, Watermarks


class RollupJob:
    """Rolls up and deletes the old quotes of one database."""

    def __init__(self, database: Database[Document]) -> None:
        self._store = QuoteStore(database)
        self._stream = QuoteStream(database)
        self._watermarks = Watermarks(database)
        self._rollup = RollupBuilder(database)
        self._retention = Retention(database)

    def steps(self, now: datetime, *, rollup_after: int, retention: int) -> Generator[str]:
        """Runs one step at each turn, coin by coin, until nothing is left; yields what it did.

        Both settings are days; 0 disables them. They count back from `now`, or from the newest
        quote of all coins if that is older: what a clock that runs ahead calls old may be the
        newest there is. Without a quote nothing is done.
        """
        newest = self._store.newest_of_all()
        if newest is None:
            return
        now = min(now, newest)
        until = floor_to(now - rollup_after * DAY, DAY) if rollup_after else None
        edge = now - retention * DAY if retention else None
        watermarks = self._watermarks.all()
        for coin in self._stream.coins():
            mark = watermarks.get(coin, Watermark(coin))
            if until is not None and (mark.until is None or mark.until < until):
                while self._rollup.step(coin, until):
                    yield "rolled up"
            if edge is not None or mark.kept_from is not None:
                while self._retention.step(coin, edge):
                    yield "deleted"
