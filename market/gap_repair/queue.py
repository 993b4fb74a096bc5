"""Stretches of a coin's history that are to be mended: wanted, carried out, and what came of it.

waiting -> running -> done | failed. A `done` repair says how many of its empty slots the source
had a point for; those that stay empty are a gap for ever.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pymongo import ASCENDING, DESCENDING, ReturnDocument
from pymongo.collection import Collection
from pymongo.database import Database

from market.gap_repair.matching import Mended
from market.ledger.ledger import LeaseLost, from_now, over
from market.schedule.clock import elapsed
from market.storage.database import REPAIRED, REPAIRS, insert_new

LEASE_SECONDS = 120  # longer than the three charts that a repair may ask for
MAX_TRIES = 6
FIRST_PAUSE, LONGEST_PAUSE = 30, 3600  # seconds
STATES = ("waiting", "running", "done", "failed")

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A stretch start <= slot < end of one coin; the lowest priority goes first."""

    coin: str
    start: datetime
    end: datetime
    priority: int

    @property
    def id(self) -> str:
        """The same stretch of the same coin is one repair, however often it is wanted."""
        return f"{self.coin}|{self.start:%Y-%m-%dT%H:%M:%SZ}|{self.end:%Y-%m-%dT%H:%M:%SZ}"


@dataclass(frozen=True, slots=True)
class Repair:
    """A claimed repair; `fence` grows with each claim."""

    id: str
    coin: str
    start: datetime
    end: datetime
    fence: int
    tries: int
    asked: float = field(default_factory=elapsed)  # when it was asked for, by this process's clock

    def check(self) -> None:
        """Raises LeaseLost when the repair is, or may be, another's by now."""
        if elapsed() >= self.asked + LEASE_SECONDS:
            raise LeaseLost(f"the lease on the repair {self.id} ran out")


class Repairs:
    """The collections `repairs` and `repaired` of one database."""

    def __init__(self, database: Database[Document]) -> None:
        self._repairs: Collection[Document] = database[REPAIRS]
        self._repaired: Collection[Document] = database[REPAIRED]

    def want(self, wanted: Iterable[Wanted], now: datetime) -> int:
        """Enters repairs that are not there yet; the number entered."""
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
            for one in wanted
        ]
        return insert_new(self._repairs, entries)

    def claim(self) -> Repair | None:
        """The most urgent repair that nobody carries out, for 120 s; None when there is none."""
        asked = elapsed()
        document = self._repairs.find_one_and_update(
            {
                "$or": [
                    {"state": "waiting", "$expr": over("not_before", LONGEST_PAUSE)},
                    {"state": "running", "$expr": over("lease_until", LEASE_SECONDS)},
                ]
            },
            [
                {
                    "$set": {
                        "state": "running",
                        "lease_until": from_now(LEASE_SECONDS),
                        "fence": {"$add": ["$fence", 1]},
                        "tries": {"$add": ["$tries", 1]},
                    }
                }
            ],
            sort=[("priority", ASCENDING), ("start", DESCENDING)],
            return_document=ReturnDocument.AFTER,
        )
        if document is None:
            return None
        names = ("coin", "start", "end", "fence", "tries")
        return Repair(document["_id"], **{name: document[name] for name in names}, asked=asked)

    def keep(self, repair: Repair, mended: Iterable[Mended], *, source: str, now: datetime) -> int:
        """Stores a repair's points as repaired quotes; the number new. Raises LeaseLost.

        One that is there already stands.
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
            for one in mended
        ]
        repair.check()
        return insert_new(self._repaired, documents)

    def finish(self, repair: Repair, *, empty: int, mended: dict[str, int], now: datetime) -> None:
        """Ends a repair: of so many `empty` slots those in `mended`, by resolution, are filled."""
        self._change(
            repair,
            {
                "state": "done",
                "finished_at": now,
                "empty": empty,
                "mended": {"$literal": mended},
                "error": None,
            },
        )

    def postpone(self, repair: Repair, reason: str, seconds: float | None, now: datetime) -> None:
        """Puts a repair back, to be tried in `seconds`.

        Without any it failed by itself: the pauses grow, and the sixth time it ends as failed.
        """
        if seconds is None and repair.tries >= MAX_TRIES:
            self.fail(repair, reason, now)
            return
        pause = seconds or min(FIRST_PAUSE * 2 ** (repair.tries - 1), LONGEST_PAUSE)
        change: Document = {
            "state": "waiting",
            "not_before": from_now(pause),
            "error": {"$literal": reason},
        }
        if seconds is not None:
            change["tries"] = repair.tries - 1
        self._change(repair, change)

    def fail(self, repair: Repair, reason: str, now: datetime) -> None:
        """Ends a repair that cannot be carried out; its gap stays."""
        self._change(repair, {"state": "failed", "finished_at": now, "error": {"$literal": reason}})

    def newest(
        self, *, coin: str | None, state: str | None, skip: int, limit: int
    ) -> list[Document]:
        """Repairs as they are stored, those wanted last first."""
        found = self._repairs.find(_where(coin, state)).sort("wanted_at", DESCENDING)
        return list(found.skip(skip).limit(limit))

    def count(self, *, coin: str | None = None, state: str | None = None) -> int:
        """How many repairs there are of a coin, in a state, or at all."""
        return self._repairs.count_documents(_where(coin, state))

    def _change(self, repair: Repair, fields: Document) -> None:
        held = {"_id": repair.id, "state": "running", "fence": repair.fence}
        self._repairs.update_one(held, [{"$set": {**fields, "lease_until": None}}])


def _where(coin: str | None, state: str | None) -> Document:
    given = {"coin": coin, "state": state}
    return {name: value for name, value in given.items() if value is not None}
