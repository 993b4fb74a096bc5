"""Rolls up a coin's recorded quotes of past days into the candles that are kept."""

from datetime import datetime
from typing import Any

import pymongo
from pymongo import ASCENDING
from pymongo.database import Database

from market.candle import DAY, HOUR, down, joined
from market.database import QUOTES
from market.grouping import grouped
from market.history import stretch
from market.marks import Mark, Marks
from market.rollups import Rollups

AT_ONCE = 30 * DAY  # 2,880 quotes of 15 minutes
SECONDS = 20.0

Document = dict[str, Any]


class Roller:
    """Makes rollups from quotes, in steps that may be repeated, or done by two at once.

    A step makes whole days anew from all their quotes, then moves the coin's mark on, unless a
    quote came late meanwhile or another process was faster: then nothing was lost but its work.
    """

    def __init__(self, database: Database[Document]) -> None:
        self._database = database
        self._marks = Marks(database)
        self._rollups = Rollups(database)

    def step(self, coin: str, until: datetime) -> bool:
        """Rolls up the next 30 days of a coin, none after `until`; whether there may be more."""
        mark, end = self._marks.of(coin), down(until, DAY)
        start = self._oldest(mark, end)
        if start is None:
            return False
        stop = min(end, start + AT_ONCE)
        with pymongo.timeout(SECONDS):
            candles = grouped(self._database, coin, HOUR, start, stop, repaired=False)
            self._rollups.keep(candles, joined(candles, DAY), repaired=False)
            self._marks.rolled_up(mark, stop)
        return True

    def _oldest(self, mark: Mark, end: datetime) -> datetime | None:
        """The day of a coin's oldest quote that is not rolled up yet."""
        among = {"_id": stretch(mark.coin, mark.until, end)}
        found = self._database[QUOTES].find_one(among, {"_id": 1}, sort=[("_id", ASCENDING)])
        return down(found["_id"]["at"], DAY) if found else None
