"""Which shape the stored documents have, and the steps from an older shape to today's."""

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
LOOK_SECONDS = 0.2
FIRST = 1  # of a database that was filled before versions were written down

# The step that leads to each version from the one before it. A step may be begun again after its
# process died: it must do no harm to what it has changed already.
Step = Callable[[Database[Document]], None]
STEPS: Mapping[int, Step] = {}


class TooNew(Exception):
    """The database was written by a newer KoinX; nothing of it was changed."""


def newest(steps: Mapping[int, Step] = STEPS) -> int:
    """The version that this code reads and writes."""
    return max(steps, default=FIRST)


def version(database: Database[Document]) -> int | None:
    """The database's version; None before it was first prepared."""
    found = database[SCHEMA].find_one({"_id": SCHEMA})
    return None if found is None else int(found["version"])


def check(found: int, name: str, steps: Mapping[int, Step] = STEPS) -> None:
    """Raises TooNew when what is called `name` has a version that this code does not know."""
    if found > newest(steps):
        raise TooNew(
            f"{name} has version {found}, and this KoinX knows up to {newest(steps)}: "
            "install the newer KoinX again"
        )


def migrate(database: Database[Document], steps: Mapping[int, Step] = STEPS) -> None:
    """Takes the database to the newest version; of several that start at once, one does each step.

    The others wait for it. Raises TooNew, and whatever a step raises.
    """
    schema = database[SCHEMA]
    _enter(database, newest(steps))
    while True:
        found = version(database) or FIRST
        check(found, f"the database {database.name}", steps)
        if found == newest(steps):
            return
        with _lease(schema, found) as held:
            if held is None:
                time.sleep(LOOK_SECONDS)
                continue
            steps[found + 1](database)
            schema.update_one(
                {"_id": SCHEMA, "version": found, "holder": held},
                {"$set": {"version": found + 1}},
            )


def _enter(database: Database[Document], current: int) -> None:
    """Writes down the version of a database that has none: today's if it is empty."""
    if version(database) is None:
        is_empty = database[QUOTES].find_one() is None
        with suppress(DuplicateKeyError):
            database[SCHEMA].insert_one({"_id": SCHEMA, "version": current if is_empty else FIRST})


@contextmanager
def _lease(schema: Collection[Document], found: int) -> Iterator[str | None]:
    """The right to do the step from version `found`, as its holder's name; None: another has it."""
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
    over = threading.Event()

    def renew() -> None:
        while not over.wait(RENEW_SECONDS):
            try:
                schema.update_one({"holder": holder}, [{"$set": {"until": until}}])
            except PyMongoError:
                continue  # unreachable for a moment
            except Exception as error:
                log.warning("the lease was not renewed", reason=plain(error))

    thread = threading.Thread(target=renew, name="schema", daemon=True)
    thread.start()
    try:
        yield holder
    finally:
        over.set()
        thread.join(RENEW_SECONDS)
        schema.update_one({"holder": holder}, {"$set": {"holder": None, "until": None}})
