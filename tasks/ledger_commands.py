"""What the worker's commands of our own do with the database."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError, PyMongoError

from market.gap_repair.pause import Pause
from market.ledger.ledger import OPEN, Ledger
from market.storage.database import Document
from settings import load

SECONDS = 0.8  # so that the answer is there before the second that a command is waited for is over
MOST = 100
TOLD = ("state", "trigger", "received_at", "not_before", "worker", "tries", "error")


@contextmanager
def _database() -> Iterator[Database[Document]]:
    """The database, for one command: this process forks, so no connection stays open in it."""
    settings = load()
    uri = settings.server("mongodb_uri")
    with MongoClient[Document](
        uri,
        tz_aware=True,
        timeoutMS=int(SECONDS * 1000),
        serverSelectionTimeoutMS=int(SECONDS * 1000),
        w="majority",
    ) as client:
        yield client[settings.database]


def _failed(error: PyMongoError) -> dict[str, Any]:
    # Only the kind: an address in a message may carry a password.
    return {"error": f"MongoDB does not answer ({type(error).__name__})"}


def open_updates() -> dict[str, Any]:
    """The updates that are not closed yet, by id."""
    try:
        with _database() as database:
            ledger = Ledger(database)
            found = [one for kind in OPEN for one in ledger.newest(state=kind, limit=MOST)]
    except PyMongoError as error:
        return _failed(error)
    return {one["_id"]: {name: _plain(one.get(name)) for name in TOLD} for one in found}


def pause_repairs() -> dict[str, str]:
    """Stops the mending of history."""
    try:
        with _database() as database:
            pause = Pause(database)
            pause.begin(datetime.now(UTC))
            return {"ok": f"repairs are paused since {_plain(pause.since())}"}
    except DuplicateKeyError:
        return {"ok": "repairs are paused, by another worker at this moment"}
    except PyMongoError as error:
        return _failed(error)


def resume_repairs() -> dict[str, str]:
    """Lets it go on."""
    try:
        with _database() as database:
            Pause(database).end()
    except PyMongoError as error:
        return _failed(error)
    return {"ok": "repairs go on"}


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
