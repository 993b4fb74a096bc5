"""All coins' rollups and retention, in steps that go on where the last ones stopped."""

from collections.abc import Generator
from datetime import datetime
from typing import Any

from pymongo.database import Database

from market.model.candle import DAY, floor_to
from market.rollups.retention import Retention
from market.rollups.rollup import RollupBuilder
from market.storage.quote_history import QuoteStream
from market.storage.quote_store import QuoteStore
from market.storage.watermarks import Watermark, Watermarks

Document = dict[str, Any]


class RollupJob:
    """What is to be done with the quotes of one database once they are some days old."""

    def __init__(self, database: Database[Document]) -> None:
        self._store = QuoteStore(database)
        self._stream = QuoteStream(database)
        self._marks = Watermarks(database)
        self._roller = RollupBuilder(database)
        self._retention = Retention(database)

    def steps(self, now: datetime, *, rollup_after: int, retention: int) -> Generator[str]:
        """Does a step at each turn, coin by coin, until nothing is left; says what it did.

        Both settings are days, 0 for never. They count back from `now`, or from the newest quote of
        all coins where that is older: what a clock that runs ahead calls old may be the newest
        there is. Without a quote nothing is done.
        """
        newest = self._store.newest_of_all()
        if newest is None:
            return
        now = min(now, newest)
        until = floor_to(now - rollup_after * DAY, DAY) if rollup_after else None
        edge = now - retention * DAY if retention else None
        marks = self._marks.all()
        for coin in self._stream.coins():
            mark = marks.get(coin, Watermark(coin))
            if until is not None and (mark.until is None or mark.until < until):
                while self._roller.step(coin, until):
                    yield "rolled up"
            if edge is not None or mark.kept_from is not None:
                while self._retention.step(coin, edge):
                    yield "deleted"
