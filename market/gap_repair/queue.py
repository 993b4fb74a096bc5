"""The repair queue: ranges of a coin's history to fill, and what came of each.

waiting -> running -> done | failed. A `done` repair says how many of its empty slots the source had
a point for; the others stay a gap for good.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pymongo import ASCENDING, DESCENDING
from pymongo.database import Database

from market.gap_repair.matching import RepairedSlot
from market.ledger.claims import Claim, ClaimQueue
from market.storage.database import REPAIRED, REPAIRS, insert_new

MAX_ATTEMPTS = 6
FIRST_PAUSE, LONGEST_PAUSE = 30, 3600  # seconds
STATES = ("waiting", "running", "done", "failed")
PAUSED = {"_id": "repairs"}  # one switch for the whole system

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class RepairRequest:
    """A range start <= slot < end of one coin; the lowest priority goes first."""

    coin: str
    start: datetime
    end: datetime
    priority: int

    @property
    def id(self) -> str:
        """The same range of the same coin is one repair, however often it is requested."""
        return f"{self.coin}|{self.start:%Y-%m-%dT%H:%M:%SZ}|{self.end:%Y-%m-%dT%H:%M:%SZ}"


@dataclass(frozen=True, slots=True)
class Repair(Claim):
    """A claimed repair."""

    coin: str
    start: datetime
    end: datetime


class RepairQueue(ClaimQueue):
    """The collections `repairs` and `repaired` of one database, with the switch to pause."""

    noun, waiting = "repair", "waiting"
    lease_seconds = 120  # longer than the three charts that a repair may ask for
    max_wait = LONGEST_PAUSE

    def __init__(self, database: Database[Document]) -> None:
        super().__init__(database[REPAIRS])
        self._repaired = database[REPAIRED]
        self._switches = database["switches"]

    def add(self, requests: Iterable[RepairRequest], now: datetime) -> int:
        """Enters repairs that are not there yet; returns how many were new."""
        entries: list[Document] = [
            {
                "_id": one.id,
                "coin": one.coin,
                "start": one.start,
                "end": one.end,
                "priority": one.priority,
                "state": "waiting",
                "wanted_at": now,
                "finished_at": None,
                "not_before": None,
                "fence": 0,
                "tries": 0,
                "empty": None,
                "mended": {},
                "error": None,
            }
            for one in requests
        ]
        return insert_new(self._collection, entries)

    def claim(self) -> Repair | None:
        """Claims the most urgent repair for 120 s; None if there is none."""
        found = self._claim(
            {},
            {},
            ("coin", "start", "end", "fence", "tries"),
            sort=[("priority", ASCENDING), ("start", DESCENDING)],
        )
        if found is None:
            return None
        return Repair(id=found.pop("_id"), attempts=found.pop("tries"), **found)

    def store(
        self, repair: Repair, repaired: Iterable[RepairedSlot], *, source: str, now: datetime
    ) -> int:
        """Stores a repair's points as repaired quotes; returns how many were new.

        A quote that exists already is left as it is. Raises LeaseLost.
        """
        documents = [
            {
                "_id": {"coin": repair.coin, "at": one.point.at},
                "price": one.point.price,
                "market_cap": one.point.market_cap,
                "change_24h": None,
                "volume_24h": one.point.volume_24h,
                "source": source,
                "recorded_at": now,
                "resolution": one.resolution,
            }
            for one in repaired
        ]
        self.check(repair)
        return insert_new(self._repaired, documents)

    def finish(
        self, repair: Repair, *, empty: int, repaired: dict[str, int], now: datetime
    ) -> None:
        """Ends a repair that filled, by resolution, so many `repaired` of its `empty` slots.

        Raises LeaseLost, as do `postpone` and `fail`.
        """
        self._end(repair, "done", now, empty=empty, mended=repaired, error=None)

    def postpone(self, repair: Repair, reason: str, seconds: float | None, now: datetime) -> None:
        """Puts a repair back to wait for `seconds`, which the source asked for.

        Without them the repair itself failed: the pauses double, and the sixth time it ends as
        failed.
        """
        if seconds is not None:
            self._postpone(repair, seconds, reason, {"tries": repair.attempts - 1})
        elif repair.attempts < MAX_ATTEMPTS:
            pause = min(FIRST_PAUSE * 2 ** (repair.attempts - 1), LONGEST_PAUSE)
            self._postpone(repair, pause, reason, {})
        else:
            self.fail(repair, reason, now)

    def fail(self, repair: Repair, reason: str, now: datetime) -> None:
        """Ends a repair that cannot be done; its gap stays."""
        self._end(repair, "failed", now, error=reason)

    def newest(
        self, *, coin: str | None, state: str | None, skip: int, limit: int
    ) -> list[Document]:
        """Returns repairs as stored, the last requested first."""
        found = self._collection.find(_where(coin, state)).sort("wanted_at", DESCENDING)
        return list(found.skip(skip).limit(limit))

    def count(self, *, coin: str | None = None, state: str | None = None) -> int:
        """Returns how many repairs there are: of a coin, in a state, or all."""
        return self._collection.count_documents(_where(coin, state))

    def paused_since(self) -> datetime | None:
        """Returns when repairs were paused; None unless they are."""
        switch = self._switches.find_one(PAUSED)
        return switch["since"] if switch else None

    def pause(self, now: datetime) -> None:
        """Pauses repairs unless they are paused; those that run are completed."""
        self._switches.update_one(PAUSED, {"$setOnInsert": {"since": now}}, upsert=True)

    def resume(self) -> None:
        """Resumes repairs."""
        self._switches.delete_one(PAUSED)

    def _end(self, repair: Repair, state: str, now: datetime, **fields: Any) -> None:
        ended = {"state": state, "finished_at": now, "lease_until": None}
        self._write(repair, {"$set": ended | fields})


def _where(coin: str | None, state: str | None) -> Document:
    given = {"coin": coin, "state": state}
    return {name: value for name, value in given.items() if value is not None}
