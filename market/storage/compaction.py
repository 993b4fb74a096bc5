"""Returns the disk space of deleted documents to the system."""

import pymongo
from pymongo.database import Database
from pymongo.errors import OperationFailure

from market.storage.database import QUOTE_COLLECTIONS, ROLLUPS, Document

SECONDS = 60.0
LEAST = 1_000_000  # bytes that are worth a compaction
NOT_ALLOWED = (13, 59, 115, 8000)  # for this user or server; MongoDB then reuses the space itself


def compact(database: Database[Document]) -> int:
    """Compacts each collection of which more than half is free; returns the bytes freed.

    MongoDB reuses free space but does not return it by itself. Reads and writes continue meanwhile.
    Normally a collection has the space of one day's quotes free, and is not compacted.
    """
    freed = 0
    for name in (*QUOTE_COLLECTIONS, *ROLLUPS):
        size, free = _size(database, name)
        if free >= LEAST and free * 2 > size:
            with pymongo.timeout(SECONDS):
                try:
                    # On a primary MongoDB requires `force`.
                    database.command("compact", name, force=True)
                except OperationFailure as error:
                    if error.code not in NOT_ALLOWED:
                        raise
            freed += size - _size(database, name)[0]
    return freed


def _size(database: Database[Document], name: str) -> tuple[int, int]:
    """Returns the size of a collection's file, and how much of it is free, in bytes."""
    found: Document = database.command("collStats", name, freeStorage=1)
    return int(found["storageSize"]), int(found.get("freeStorageSize", 0))
