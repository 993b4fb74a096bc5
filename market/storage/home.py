"""Which home a database is: two on different MongoDB servers may have the same name."""

from typing import Any
from uuid import uuid4

from pymongo import MongoClient, ReturnDocument
from pymongo.database import Database
from pymongo.errors import PyMongoError

Document = dict[str, Any]  # nothing of market.storage.database: beat needs no MongoEngine
TIMEOUT_MS = 3000

HOME = "home"  # the collection, and its one document


def made(database: Database[Document]) -> str:
    """The home's random id, made at the first call; raises what MongoDB raises.

    It belongs to the database, not to what is stored there: a backup has none, and a restore leaves
    the one that is there.
    """
    found: Document = (
        database[HOME].find_one_and_update(
            {"_id": HOME},
            {"$setOnInsert": {"id": uuid4().hex}},
            upsert=True,
            return_document=ReturnDocument.AFTER,
        )
        or {}
    )  # after an upsert there is one
    return str(found["id"])


def known(database: Database[Document]) -> str | None:
    """The home's id; None before it was first prepared."""
    found = database[HOME].find_one({"_id": HOME})
    return None if found is None else str(found["id"])


def asked(uri: str, database: str) -> str | None:
    """The same on a connection of its own, before a fork; None if it is not to be had."""
    try:
        with MongoClient[Document](
            uri, timeoutMS=TIMEOUT_MS, serverSelectionTimeoutMS=TIMEOUT_MS
        ) as client:
            return known(client[database])
    except PyMongoError:
        return None
