"""Decides what operators are told of the updates' health: each change once, in order."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from pymongo import ASCENDING, DESCENDING, ReturnDocument
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from market.ledger.claims import has_passed
from market.ledger.event_log import last_success
from market.model.documents import Update
from market.schedule.slots import Schedule
from market.storage.database import Document

SHORTEST = timedelta(minutes=2)  # a schedule of seconds is not stale at once
UPDATES = "updates"  # the one document's id
MAX_PENDING = 20  # should nobody listen for long; beyond that the oldest are dropped
FIRST_PAUSE_SECONDS = 30  # longer than an attempt may take: no other process tries meanwhile
LONGEST_PAUSE_SECONDS = 600
MAX_ATTEMPTS = 12  # over an hour and a half

State = Literal["well", "failing", "stale"]


@dataclass(frozen=True)
class UpdateHealth:
    """Whether updates succeed, and since when.

    `number` is that of the newest end it is based on; `update` and `error` are of the newest
    failure, `last_success` is when an update last succeeded.
    """

    state: State
    since: datetime
    number: int
    update: str | None = None
    error: str | None = None
    last_success: datetime | None = None


class HealthMonitor:
    """Derives the updates' health from the ledger of one database."""

    def __init__(self, database: Database[Document], schedule: Schedule) -> None:
        self._updates = database[Update._get_collection_name()]
        self._schedule = schedule

    def check(self, now: datetime) -> UpdateHealth | None:
        """Returns the updates' health; None before any has ended, which is no problem yet.

        `failing`: one failed since the last success. `stale`: none succeeded since the slot before
        the current one began. A missed slot alone is neither.
        """
        success = last_success(self._updates)
        number = success["number"] if success else 0
        last = success["finished_at"] if success else None
        first, newest = (self._failure(order, number) for order in (ASCENDING, DESCENDING))
        if first and newest:
            return UpdateHealth(
                "failing",
                first["finished_at"],
                newest["number"],
                newest["_id"],
                newest["error"],
                last,
            )
        if last is None:
            return None
        due = self._schedule.earlier(self._schedule.current(now), 1)
        state: State = "stale" if last < min(due, now - SHORTEST) else "well"
        return UpdateHealth(state, last, number, last_success=last)

    def _failure(self, order: int, after: int) -> Document | None:
        """Returns the first or the last failure after a number."""
        return self._updates.find_one(
            {"number": {"$gt": after}, "state": "failed"},
            {"number": 1, "finished_at": 1, "error": 1},
            sort=[("number", order)],
        )


class AlertQueue:
    """Stores the health that was seen last, with the changes that are not delivered yet.

    A change is added by compare-and-set on a version: of two processes that see it one wins. It is
    removed once delivered; the process that takes it has it alone for a while. A process that dies
    between delivery and removal makes it arrive a second time, with the same `id`.
    """

    def __init__(self, database: Database[Document]) -> None:
        self._notices = database["notices"]

    def add(self, seen: UpdateHealth, message: Callable[[UpdateHealth], Mapping[str, Any]]) -> bool:
        """Adds a change of health, in the words of `message`; returns False if nothing changed."""
        known = self._known()
        if not _is_change(known, seen):
            return False
        version = known["version"] + 1
        alert = {"id": f"{UPDATES}-{version}", **message(seen)}
        change = {
            "$set": {"state": seen.state, "number": seen.number, "version": version},
            "$push": {"waiting": {"$each": [alert], "$slice": -MAX_PENDING}},
        }
        unchanged = {"_id": UPDATES, "version": known["version"]}
        return bool(self._notices.update_one(unchanged, change).matched_count)

    def take(self) -> dict[str, Any] | None:
        """Returns the oldest change that is due for delivery, or None.

        It returns again, after growing pauses, until it is delivered, at most 12 times.
        """
        due = has_passed("not_before", LONGEST_PAUSE_SECONDS)
        self._notices.update_one(
            {"_id": UPDATES, "tries": {"$gte": MAX_ATTEMPTS}, "$expr": due},
            {"$pop": {"waiting": -1}, "$set": {"tries": 0}},
        )
        doubled = {"$multiply": [FIRST_PAUSE_SECONDS * 1000, {"$pow": [2, "$tries"]}]}
        pause = {"$toLong": {"$min": [doubled, LONGEST_PAUSE_SECONDS * 1000]}}
        retry = {"not_before": {"$add": ["$$NOW", pause]}, "tries": {"$add": ["$tries", 1]}}
        found = self._notices.find_one_and_update(
            {"_id": UPDATES, "waiting.0": {"$exists": True}, "$expr": due},
            [{"$set": retry}],
            return_document=ReturnDocument.AFTER,
        )
        return dict(found["waiting"][0]) if found else None

    def mark_delivered(self, alert: Mapping[str, Any]) -> None:
        """Removes a change that was delivered."""
        self._notices.update_one(
            {"_id": UPDATES, "waiting.0.id": alert["id"]},
            {"$pop": {"waiting": -1}, "$set": {"tries": 0, "not_before": None}},
        )

    def _known(self) -> Document:
        known = self._notices.find_one({"_id": UPDATES})
        if known is None:
            known = {"_id": UPDATES, "state": "well", "number": 0, "version": 0}
            try:
                self._notices.insert_one(known | {"waiting": [], "tries": 0, "not_before": None})
            except DuplicateKeyError:
                return self._known()
        return known


def _is_change(known: Document, seen: UpdateHealth) -> bool:
    if seen.state == known["state"]:
        return False
    # A failed update that is retried is open for a while, which does not end the problem.
    return seen.state == "failing" or (
        seen.number > known["number"] if seen.state == "well" else known["state"] == "well"
    )
