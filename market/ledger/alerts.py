"""What is to be told of the updates' condition: each change once, in its order."""

from collections.abc import Callable, Mapping
from typing import Any

from pymongo import ReturnDocument
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from market.ledger.health import Condition
from market.storage.database import Document

NOTICES = "notices"
UPDATES = "updates"  # the one document's id
MOST = 20  # that wait, should nobody listen for long: of more the oldest is forgotten
FIRST_PAUSE_SECONDS = 30  # longer than a try may take: no other process tries meanwhile
LONGEST_PAUSE_SECONDS = 600
MAX_TRIES = 12  # over an hour and a half


class Notices:
    """The condition that was seen last, with the changes that are not told yet.

    A change is entered by compare-and-set on a version: of two processes that see it one wins.
    It is taken off once it is told; who takes it to tell it has it alone for a while. A process
    that ends between telling and taking off makes it come a second time, with the same `id`.
    """

    def __init__(self, database: Database[Document]) -> None:
        self._notices = database[NOTICES]

    def enter(self, seen: Condition, message: Callable[[Condition], Mapping[str, Any]]) -> bool:
        """Enters a change of the condition, to be told as `message` has it; False without one."""
        known = self._known()
        if not _is_change(known, seen):
            return False
        version = known["version"] + 1
        change = {
            "$set": {"state": seen.state, "number": seen.number, "version": version},
            "$push": {
                "waiting": {
                    "$each": [{"id": f"{UPDATES}-{version}", **message(seen)}],
                    "$slice": -MOST,
                }
            },
        }
        held = {"_id": UPDATES, "version": known["version"]}
        return bool(self._notices.update_one(held, change).matched_count)

    def take(self) -> dict[str, Any] | None:
        """The oldest change to be told now, or None; it comes again, later and later, until told.

        After 12 tries it is forgotten.
        """
        self._notices.update_one(
            {"_id": UPDATES, "tries": {"$gte": MAX_TRIES}, "$expr": _is_time()},
            {"$pop": {"waiting": -1}, "$set": {"tries": 0}},
        )
        doubled = {"$multiply": [FIRST_PAUSE_SECONDS * 1000, {"$pow": [2, "$tries"]}]}
        pause = {"$toLong": {"$min": [doubled, LONGEST_PAUSE_SECONDS * 1000]}}
        found = self._notices.find_one_and_update(
            {"_id": UPDATES, "waiting.0": {"$exists": True}, "$expr": _is_time()},
            [
                {
                    "$set": {
                        "not_before": {"$add": ["$$NOW", pause]},
                        "tries": {"$add": ["$tries", 1]},
                    }
                }
            ],
            return_document=ReturnDocument.AFTER,
        )
        return dict(found["waiting"][0]) if found else None

    def told(self, message: Mapping[str, Any]) -> None:
        """Takes a change off that was told."""
        self._notices.update_one(
            {"_id": UPDATES, "waiting.0.id": message["id"]},
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


def _is_change(known: Document, seen: Condition) -> bool:
    if seen.state == known["state"]:
        return False
    # A failed update that is tried again is open for a while: that is no end of the trouble.
    return seen.state == "failing" or (
        seen.number > known["number"] if seen.state == "well" else known["state"] == "well"
    )


def _is_time() -> Document:
    """Whether a pause is over; one longer than any was given before the clock jumped back."""
    at = {"$ifNull": ["$not_before", "$$NOW"]}
    longest = {"$add": ["$$NOW", 2 * LONGEST_PAUSE_SECONDS * 1000]}
    return {"$or": [{"$lte": [at, "$$NOW"]}, {"$gt": [at, longest]}]}
