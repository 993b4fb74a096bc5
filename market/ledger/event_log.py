"""The updates that ended, in the order in which they did.

Each end has a number, given by the write that ends the update. A number is given only when the one
before it can be read, and never twice: whoever has read up to one has missed none below it,
whatever the workers' clocks say.
"""

from typing import Any

from pymongo import ASCENDING, DESCENDING
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.read_concern import ReadConcern

from market.model.documents import Update

Document = dict[str, Any]


class Closings:
    """Reads the ends that no failover can take back."""

    def __init__(self, database: Database[Document]) -> None:
        updates = database[Update._get_collection_name()]
        self._updates = updates.with_options(read_concern=ReadConcern("majority"))

    def newest(self) -> int:
        """The newest number; 0 before the first."""
        return newest_number(self._updates)

    def newest_good(self, after: int) -> int:
        """The number of the newest update after `after` whose source gave all that was asked.

        `after` where there is none.
        """
        found = last_success(self._updates, after=after, error=None, source=None)
        return int(found["number"]) if found else after

    def after(self, number: int, limit: int) -> list[Document]:
        """The updates that ended after a number, oldest first, without their lists of coins.

        One that was opened again since is among them: `finished_at` is None, and its next end will
        have a number of its own.
        """
        later = {"number": {"$gt": number}}
        found = self._updates.find(later, {"left_out": 0, "ticks": 0}).sort("number", ASCENDING)
        return list(found.limit(limit))

    def start(self, after: int, most: int) -> int:
        """`after`, or the number after which the newest `most` come, should there be more."""
        later = self._updates.find({"number": {"$gt": after}}, {"_id": 0, "number": 1})
        found = list(later.sort("number", DESCENDING).skip(most).limit(1))
        return int(found[0]["number"]) if found else after


def newest_number(updates: Collection[Document]) -> int:
    """The newest number in the collection of updates; 0 before the first."""
    found = updates.find_one(
        {"number": {"$gt": 0}}, {"_id": 0, "number": 1}, sort=[("number", DESCENDING)]
    )
    return int(found["number"]) if found else 0


def last_success(updates: Collection[Document], *, after: int = 0, **which: Any) -> Document | None:
    """The `number` and `finished_at` of the last update that ended well; None without any.

    By its end and not by when it was received: a slot that was opened again may end well after
    updates that were received later. Only among the ends after a number, or such as are `which`.
    """
    return updates.find_one(
        {"number": {"$gt": after}, "state": "done", **which},
        {"_id": 0, "number": 1, "finished_at": 1},
        sort=[("number", DESCENDING)],
    )
