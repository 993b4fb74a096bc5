"""Tracks the version of the stored documents, and migrates older ones step by step."""

import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

from pymongo import ReturnDocument
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError, PyMongoError

import logs
from logs.redaction import plain
from market.storage.database import QUOTES, Document

log = logs.get(__name__)

SCHEMA = "schema"  # the collection, and its one document
LEASE_SECONDS = 15
RENEW_SECONDS = 5
POLL_SECONDS = 0.2
FIRST = 1  # of a database that was filled before versions were stored

# The step to each version from the one before. If its process dies, a step runs again, so it must
# tolerate documents that it has changed already. Steps and version use raw collections: the
# documents' classes describe only the newest version.
Step = Callable[[Database[Document]], None]
STEPS: Mapping[int, Step] = {}


class TooNew(Exception):
    """A newer KoinX wrote the database; nothing was changed."""


def newest(steps: Mapping[int, Step] = STEPS) -> int:
    """Returns the version that this code reads and writes."""
    return max(steps, default=FIRST)


def version(database: Database[Document]) -> int | None:
    """Returns the database's version; None before it was first prepared."""
    found = database[SCHEMA].find_one({"_id": SCHEMA})
    return None if found is None else int(found["version"])


def check(found: int, name: str, steps: Mapping[int, Step] = STEPS) -> None:
    """Raises TooNew if the version found in `name` is newer than this code."""
    if found > newest(steps):
        raise TooNew(
            f"{name} has version {found}, and this KoinX knows up to {newest(steps)}: "
            "install the newer KoinX again"
        )


def migrate(database: Database[Document], steps: Mapping[int, Step] = STEPS) -> None:
    """Migrates the database to the newest version; raises TooNew, and what a step raises.

    If several processes start at once, one runs each step, and the others wait.
    """
    schema = database[SCHEMA]
    _store_first_version(database, newest(steps))
    while True:
        found = version(database) or FIRST
        check(found, f"the database {database.name}", steps)
        if found == newest(steps):
            return
        with _lease(schema, found) as holder:
            if holder is None:
                time.sleep(POLL_SECONDS)
                continue
            steps[found + 1](database)
            schema.update_one(
                {"_id": SCHEMA, "version": found, "holder": holder},
                {"$set": {"version": found + 1}},
            )


def _store_first_version(database: Database[Document], current: int) -> None:
    """Stores the version of a database that has none: `current` if it is empty."""
    if version(database) is None:
        is_empty = database[QUOTES].find_one() is None
        with suppress(DuplicateKeyError):
            database[SCHEMA].insert_one({"_id": SCHEMA, "version": current if is_empty else FIRST})


@contextmanager
def _lease(schema: Collection[Document], found: int) -> Iterator[str | None]:
    """Leases the step from version `found`; yields the holder's id, or None if another has it."""
    holder = uuid.uuid4().hex
    is_free = {"$lte": [{"$ifNull": ["$until", "$$NOW"]}, "$$NOW"]}
    until = {"$add": ["$$NOW", LEASE_SECONDS * 1000]}
    taken = schema.find_one_and_update(
        {"_id": SCHEMA, "version": found, "$expr": is_free},
        [{"$set": {"holder": holder, "until": until}}],
        return_document=ReturnDocument.AFTER,
    )
    if taken is None:
        yield None
        return
    ended = threading.Event()

    def renew() -> None:
        while not ended.wait(RENEW_SECONDS):
            try:
                schema.update_one({"holder": holder}, [{"$set": {"until": until}}])
            except PyMongoError:
                continue  # unreachable for a moment
            except Exception as error:
                log.warning("schema lease not renewed", reason=plain(error))

    thread = threading.Thread(target=renew, name="schema", daemon=True)
    thread.start()
    try:
        yield holder
    finally:
        ended.set()
        thread.join(RENEW_SECONDS)
        schema.update_one({"holder": holder}, {"$set": {"holder": None, "until": None}})
