"""Gives the disk space of what was deleted or written anew back to the system."""

from typing import Any

import pymongo
from pymongo.database import Database
from pymongo.errors import OperationFailure

from market.storage.database import KEPT, SERIES

SECONDS = 60.0
LEAST = 1_000_000  # bytes that are worth it
NOT_ALLOWED = (13, 59, 115, 8000)  # for this user, or on such a server: then it reuses the space

Document = dict[str, Any]


def give_back(database: Database[Document]) -> int:
    """Compacts a collection of which more than half is free; the bytes given back.

    MongoDB fills free space with what comes next, but gives none back by itself. Reads and writes
    go on meanwhile. A collection in its everyday state has a day's quotes free, and is left alone.
    """
    given = 0
    for name in (*SERIES, *KEPT):
        size, free = _size(database, name)
        if free >= LEAST and free * 2 > size:
            with pymongo.timeout(SECONDS):
                try:
                    # `force`, since MongoDB wants to be asked twice on a primary.
                    database.command("compact", name, force=True)
                except OperationFailure as error:
                    if error.code not in NOT_ALLOWED:
                        raise
            given += size - _size(database, name)[0]
    return given


def _size(database: Database[Document], name: str) -> tuple[int, int]:
    """The bytes of a collection's file, and those of them that are free."""
    found: Document = database.command("collStats", name, freeStorage=1)
    return int(found["storageSize"]), int(found.get("freeStorageSize", 0))
