"""Lists the ends of updates, in their order.

The write that ends an update numbers the end. It assigns a number only when the one before it can
be read, and never twice: whoever has read up to a number has missed none below it, whatever the
workers' clocks say.
"""

from typing import Any

from pymongo import ASCENDING, DESCENDING
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.read_concern import ReadConcern

from market.model.documents import Update

Document = dict[str, Any]


class EventLog:
    """Reads the ends that no failover can undo."""

    def __init__(self, database: Database[Document]) -> None:
        updates = database[Update._get_collection_name()]
        self._updates = updates.with_options(read_concern=ReadConcern("majority"))

    def newest(self) -> int:
        """Returns the newest number; 0 before the first."""
        return newest_number(self._updates)

    def newest_good(self, after: int) -> int:
        """Returns the number of the newest update whose source gave all it was asked for.

        Returns `after` if none did after that number.
        """
        found = last_success(self._updates, after=after, error=None, source=None)
        return int(found["number"]) if found else after

    def after(self, number: int, limit: int) -> list[Document]:
        """Returns the updates that ended after a number, oldest first, without lists of coins.

        An update reopened since is included: its `finished_at` is None, and its next end will have
        a number of its own.
        """
        later = {"number": {"$gt": number}}
        found = self._updates.find(later, {"left_out": 0, "ticks": 0}).sort("number", ASCENDING)
        return list(found.limit(limit))

    def start(self, after: int, most: int) -> int:
        """Returns the number after which at most `most` ends follow, and at least `after`."""
        later = self._updates.find({"number": {"$gt": after}}, {"_id": 0, "number": 1})
        found = list(later.sort("number", DESCENDING).skip(most).limit(1))
        return int(found[0]["number"]) if found else after


def newest_number(updates: Collection[Document]) -> int:
    """Returns the newest number in the collection of updates; 0 before the first."""
    found = updates.find_one(
        {"number": {"$gt": 0}}, {"_id": 0, "number": 1}, sort=[("number", DESCENDING)]
    )
    return int(found["number"]) if found else 0


def last_success(updates: Collection[Document], *, after: int = 0, **which: Any) -> Document | None:
    """Returns `number` and `finished_at` of the last successful update, if any.

    The last by its end, not by when it was received: a reopened slot may succeed after updates that
    were received later. `after` and `which` restrict the search.
    """
    return updates.find_one(
        {"number": {"$gt": after}, "state": "done", **which},
        {"_id": 0, "number": 1, "finished_at": 1},
        sort=[("number", DESCENDING)],
    )
