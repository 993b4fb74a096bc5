"""Backs up a database as it was at one moment."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import OperationFailure

from market.storage import migrations
from market.storage.backup_format import Manifest, writing
from market.storage.database import Document
from market.storage.restore import collections, finish

SNAPSHOT_SECONDS = 3600  # for how long MongoDB is asked to remember that moment; it does so for 300


def back_up(
    database: Database[Document], path: Path, tell: Callable[[str, int], None] = lambda *_: None
) -> Manifest:
    """Writes every document to a new file; returns its manifest.

    Goes on beside whatever else is done: all collections are read as of one moment, which a
    replica set can. `tell` is called with each collection's name and number of documents. Raises
    FileExistsError, OSError, what MongoDB raises, and TooNew of a database that this code may
    not understand.
    """
    finish(database)  # what a restore left half exchanged is of no one moment
    version = migrations.version(database) or migrations.FIRST
    migrations.check(version, f"the database {database.name}")
    _remember(database)
    with writing(path) as archive, database.client.start_session(snapshot=True) as session:
        taken_at = datetime.now(UTC)
        for name in collections(database):
            collection = database[name]
            options = dict(collection.options())
            count = archive.collection(name, options, _chunks(collection, session))
            tell(name, count)
        return archive.finish(database.name, version, taken_at)


def _chunks(collection: Collection[Document], session: ClientSession) -> Iterator[bytes]:
    # Chunks of whole documents; PyMongo's types say that they are decoded ones.
    yield from cast(Iterator[bytes], collection.find_raw_batches({}, session=session))


def _remember(database: Database[Document]) -> None:
    """Asks for a longer memory, which only whoever administers the server may."""
    try:
        database.client.admin.command(
            {"setParameter": 1, "minSnapshotHistoryWindowInSeconds": SNAPSHOT_SECONDS}
        )
    except OperationFailure:
        return
