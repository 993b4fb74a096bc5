"""Whether updates come in, as the ledger has it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from pymongo import ASCENDING, DESCENDING
from pymongo.database import Database

from market.ledger.event_log import last_success
from market.model.documents import Update
from market.schedule.slots import Schedule
from market.storage.database import Document

State = Literal["well", "failing", "stale"]
SHORTEST = timedelta(minutes=2)  # a schedule of seconds is not called stale at once


@dataclass(frozen=True)
class Condition:
    """How updates are doing, and since when.

    `number` is that of the newest end it rests on; `update` and `error` are of the newest failure,
    `last_success` is when an update last ended well.
    """

    state: State
    since: datetime
    number: int
    update: str | None = None
    error: str | None = None
    last_success: datetime | None = None


class Conditions:
    """Reads the ledger of one database."""

    def __init__(self, database: Database[Document], schedule: Schedule) -> None:
        self._updates = database[Update._get_collection_name()]
        self._schedule = schedule

    def now(self, now: datetime) -> Condition | None:
        """How updates are doing; None before any has ended, which is no trouble yet.

        `failing`: one failed since the last that ended well. `stale`: none ended well since the
        slot before the present one began. What was missed is neither by itself.
        """
        success = last_success(self._updates)
        number = success["number"] if success else 0
        last = success["finished_at"] if success else None
        first, newest = (self._failure(way, number) for way in (ASCENDING, DESCENDING))
        if first and newest:
            error = newest["error"]
            return Condition(
                "failing", first["finished_at"], newest["number"], newest["_id"], error, last
            )
        if last is None:
            return None
        due = self._schedule.earlier(self._schedule.current(now), 1)
        state: State = "stale" if last < min(due, now - SHORTEST) else "well"
        return Condition(state, last, number, last_success=last)

    def _failure(self, way: int, after: int) -> Any:
        """The first or the last that failed after a number; None without any."""
        which = {"number": {"$gt": after}, "state": "failed"}
        return self._updates.find_one(
            which, {"number": 1, "finished_at": 1, "error": 1}, sort=[("number", way)]
        )
