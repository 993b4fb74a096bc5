"""Writes a consistent backup of a database to a file."""

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
from market.storage.restore import collections, finish_exchange

SNAPSHOT_SECONDS = 3600  # how long MongoDB is asked to keep that moment; its default is 300


def back_up(
    database: Database[Document],
    path: Path,
    report_progress: Callable[[str, int], None] = lambda *_: None,
) -> Manifest:
    """Writes every document to a new file; returns its manifest.

    The system may run meanwhile: all collections are read as of one moment, as a replica set
    permits. `report_progress` is called with each collection's name and number of documents. Raises
    FileExistsError, OSError, MongoDB's errors, and TooNew for a database of a newer version.
    """
    finish_exchange(database)  # a half-finished restore is not one consistent state
    version = migrations.version(database) or migrations.FIRST
    migrations.check(version, f"the database {database.name}")
    _extend_snapshot_history(database)
    with writing(path) as archive, database.client.start_session(snapshot=True) as session:
        taken_at = datetime.now(UTC)
        for name in collections(database):
            collection = database[name]
            options = dict(collection.options())
            count = archive.collection(name, options, _chunks(collection, session))
            report_progress(name, count)
        return archive.finish(database.name, version, taken_at)


def _chunks(collection: Collection[Document], session: ClientSession) -> Iterator[bytes]:
    # These are chunks of whole raw documents, although PyMongo declares them as decoded ones.
    yield from cast(Iterator[bytes], collection.find_raw_batches({}, session=session))


def _extend_snapshot_history(database: Database[Document]) -> None:
    """Asks MongoDB to keep snapshots for longer, which only an administrator may."""
    try:
        database.client.admin.command(
            {"setParameter": 1, "minSnapshotHistoryWindowInSeconds": SNAPSHOT_SECONDS}
        )
    except OperationFailure:
        return
