"""Connects to MongoDB, and creates the collections and indexes."""

import os
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import mongoengine
from pymongo import IndexModel, MongoClient
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import BulkWriteError, OperationFailure

from market.model.documents import (
    Coin,
    CoinWatermark,
    LatestQuotes,
    QuarantinedQuote,
    Quote,
    Repair,
    RepairedQuote,
    Update,
)

Document = dict[str, Any]
TIMEOUT_MS = 3000  # for each operation, server selection included: a frozen mongod is an error
# For a backup on a busy machine: MongoDB counts all batches of one read together.
PATIENT_MS = 600_000
LATEST = LatestQuotes._get_collection_name()
QUOTES, REPAIRED = (one._get_collection_name() for one in (Quote, RepairedQuote))
QUOTE_COLLECTIONS = QUOTES, REPAIRED
MARKS = CoinWatermark._get_collection_name()
REPAIRS = Repair._get_collection_name()
# Rollups hold columns packed as text (`market.rollups.store`): they have no MongoEngine fields.
HOURLY, DAILY = "hourly", "daily"
HOURLY_REPAIRED, DAILY_REPAIRED = "hourly_repaired", "daily_repaired"
ROLLUPS = HOURLY, DAILY, HOURLY_REPAIRED, DAILY_REPAIRED
NAMESPACE_EXISTS, DUPLICATE_KEY = 48, 11000


class WrongCollection(Exception):
    """A collection exists but lacks a property that the system relies on."""


def connect(uri: str, database: str, timeout_ms: int | None = None) -> Database[Document]:
    """Connects MongoEngine's documents to `database`; call it after any fork.

    The same call again in one process returns the same connection. Nothing is sent yet: a server
    that is down raises `pymongo.errors.PyMongoError` at the first operation, within 3 s, and so
    does a slow one unless `timeout_ms` gives it longer.
    """
    return _connect(uri, database, timeout_ms or TIMEOUT_MS, os.getpid())


def disconnect() -> None:
    """Closes this process's connection."""
    _connect.cache_clear()
    mongoengine.disconnect()


@lru_cache(maxsize=1)
def _connect(uri: str, database: str, timeout_ms: int, _process: int) -> Database[Document]:
    mongoengine.disconnect()
    client: MongoClient[Document] = mongoengine.connect(
        database,
        host=uri,
        tz_aware=True,
        timeoutMS=timeout_ms,
        serverSelectionTimeoutMS=TIMEOUT_MS,
        w="majority",  # w:1 lost 330 of 17,868 acked writes when mongod was killed
        journal=True,
        appname="koinx",
        uuidRepresentation="standard",
    )
    return client[database]


def prepare(database: Database[Document]) -> None:
    """Creates the collections and indexes; safe when several processes do it at once.

    The documents declare the indexes. MongoEngine can express neither clustering nor compression,
    so those are set here. A collection that exists keeps the compression it was created with.
    Raises WrongCollection if a collection of quotes is not clustered: a write before `prepare`
    would have created it so, and it could store a quote twice.
    """
    for name in (*QUOTE_COLLECTIONS, *ROLLUPS):
        # Rollups are written once and read in long ranges: large pages pack them 10 % tighter.
        pages = ",leaf_page_max=128KB" if name in ROLLUPS else ""
        _create(
            database,
            name,
            clusteredIndex={"key": {"_id": 1}, "unique": True},
            storageEngine={"wiredTiger": {"configString": f"block_compressor=zstd{pages}"}},
        )
        if "clusteredIndex" not in database[name].options():
            raise WrongCollection(
                f"{database.name}.{name} is not clustered by _id, so quotes could be stored "
                "twice: rename or drop it, and start again"
            )
    for document in (Coin, CoinWatermark, LatestQuotes, QuarantinedQuote, Repair, Update):
        name = document._get_collection_name()
        _create(database, name)
        # Not `ensure_indexes`, which uses MongoEngine's own connection and a round trip for each.
        specs = [dict(spec) for spec in document._meta["index_specs"]]
        if indexes := [IndexModel(spec.pop("fields"), **spec) for spec in specs]:
            database[name].create_indexes(indexes)


def _create(database: Database[Document], name: str, **options: Any) -> None:
    """Creates a collection unless it exists, which only MongoDB can check without a race."""
    try:
        database.create_collection(name, check_exists=False, **options)
    except OperationFailure as error:
        if error.code != NAMESPACE_EXISTS:
            raise


def insert_new(collection: Collection[Document], documents: Sequence[Document]) -> int:
    """Inserts the documents whose key does not exist yet, and returns how many those are.

    An earlier attempt may have stored some of them; they stay as they are. Raises BulkWriteError
    if MongoDB refused a document for another reason, or the majority did not confirm the write.
    """
    if not documents:
        return 0
    try:
        return len(collection.insert_many(documents, ordered=False).inserted_ids)
    except BulkWriteError as error:
        if not only_duplicates(error):
            raise
        return int(error.details["nInserted"])


def only_duplicates(error: BulkWriteError) -> bool:
    """Returns whether only duplicates were refused and the majority has the rest."""
    return not error.details["writeConcernErrors"] and all(
        one["code"] == DUPLICATE_KEY for one in error.details["writeErrors"]
    )
