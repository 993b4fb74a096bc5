"""The connection to MongoDB, with the collections and indexes that must be there."""

import os
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import mongoengine
from pymongo import ASCENDING, DESCENDING, IndexModel, MongoClient
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import BulkWriteError, OperationFailure

from market.model.documents import Coin, QuarantinedQuote, Update

Document = dict[str, Any]
TIMEOUT_MS = 3000  # for each operation, server selection included: a frozen mongod is an error
# For a backup, on a machine at work: MongoDB counts the batches of one reading together.
PATIENT_MS = 600_000
LATEST = "latest"
QUOTES, REPAIRED = SERIES = "quotes", "repaired"
REPAIRS = "repairs"
HOURLY, DAILY = "hourly", "daily"
HOURLY_REPAIRED, DAILY_REPAIRED = "hourly_repaired", "daily_repaired"
KEPT = HOURLY, DAILY, HOURLY_REPAIRED, DAILY_REPAIRED  # candles
MARKS = "marks"
# Rollups are written once and read in long stretches: large blocks pack them by a tenth tighter.
BLOCKS = dict.fromkeys(SERIES, "block_compressor=zstd") | dict.fromkeys(
    KEPT, "block_compressor=zstd,leaf_page_max=128KB"
)
NAMESPACE_EXISTS, DUPLICATE_KEY = 48, 11000


class WrongCollection(Exception):
    """A collection is there, but is not what the system relies on."""


def connect(uri: str, database: str, timeout_ms: int | None = None) -> Database[Document]:
    """Connects MongoEngine's documents to `database`; call it after any fork.

    The same call again in one process gives the same connection. Nothing is sent yet: a server
    that is down shows itself at the first operation, as `pymongo.errors.PyMongoError` within 3 s,
    and so does one that is slow unless `timeout_ms` gives it longer.
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
    """Makes the collections and indexes; safe when several do it at once.

    Raises WrongCollection when quotes' collection is there but not clustered: a write before the
    collection was made creates such a one, and it could hold a quote twice. A collection that is
    there keeps the blocks that it was made with.
    """
    for collection, blocks in BLOCKS.items():
        _create(
            database,
            collection,
            clusteredIndex={"key": {"_id": 1}, "unique": True},
            storageEngine={"wiredTiger": {"configString": blocks}},
        )
        if "clusteredIndex" not in database[collection].options():
            raise WrongCollection(
                f"{database.name}.{collection} is not clustered by _id, so quotes could be stored "
                "twice: rename or drop it, and start again"
            )
    database[Update._get_collection_name()].create_indexes(
        [
            IndexModel([("received_at", DESCENDING)]),
            IndexModel([("slot", DESCENDING)], partialFilterExpression={"slot": {"$type": "date"}}),
            # The sweeper looks every 5 s for what is open, which is next to nothing.
            IndexModel(
                [("state", ASCENDING)],
                partialFilterExpression={"state": {"$in": ["received", "running"]}},
            ),
            IndexModel([("state", ASCENDING), ("trigger", ASCENDING), ("received_at", DESCENDING)]),
            IndexModel([("number", ASCENDING)]),
            IndexModel(
                [("numbers", ASCENDING)],
                unique=True,
                partialFilterExpression={"numbers": {"$gt": 0}},
            ),
        ]
    )
    database[REPAIRS].create_indexes(
        [
            IndexModel([("state", ASCENDING), ("priority", ASCENDING), ("start", DESCENDING)]),
            IndexModel([("coin", ASCENDING), ("wanted_at", DESCENDING)]),
            IndexModel([("wanted_at", DESCENDING)]),
        ]
    )
    for name in (
        Coin._get_collection_name(),
        QuarantinedQuote._get_collection_name(),
        LATEST,
        MARKS,
    ):
        _create(database, name)


def _create(database: Database[Document], name: str, **options: Any) -> None:
    """Makes a collection unless it is there, which MongoDB alone can tell without a race."""
    try:
        database.create_collection(name, check_exists=False, **options)
    except OperationFailure as error:
        if error.code != NAMESPACE_EXISTS:
            raise


def insert_new(collection: Collection[Document], documents: Sequence[Document]) -> int:
    """Inserts those whose key is not there; the others stay as they are. The number new.

    Raises BulkWriteError when anything else was refused, or the majority does not have them.
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
    """Whether what was refused is there already, and the rest is safe with the majority."""
    return not error.details["writeConcernErrors"] and all(
        one["code"] == DUPLICATE_KEY for one in error.details["writeErrors"]
    )
