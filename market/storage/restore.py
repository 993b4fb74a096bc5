"""Restores a backup into a database."""

from collections.abc import Callable
from pathlib import Path

from bson.raw_bson import RawBSONDocument
from pymongo.database import Database
from pymongo.errors import OperationFailure

from market.storage import migrations
from market.storage.backup_format import BadArchive, Manifest, Reader, reading
from market.storage.database import Document
from market.storage.home import HOME
from market.storage.restore_lock import CLAIMS, RestoreLock, restore_lock

PREFIX = "restoring_"
EXCHANGE = "restoring"  # the collection, and its one document during an exchange
NAMESPACE_NOT_FOUND = 26


class DatabaseNotEmpty(Exception):
    """The database holds documents, and `replace` was not set."""


def restore(
    database: Database[Document],
    path: Path,
    *,
    replace: bool = False,
    report_progress: Callable[[str, int], None] = lambda *_: None,
) -> Manifest:
    """Replaces the contents of the database by those of the backup; returns its manifest.

    It first writes everything beside the existing collections, then exchanges them one by one. An
    error before the exchange changes nothing. The next start, backup or restore completes an
    interrupted exchange. The caller stops everything that writes to the database, and prepares it
    afterwards. `report_progress` is called with each collection's name and number of documents.
    Raises RestoreInProgress, BadArchive, DatabaseNotEmpty, TooNew, OSError and MongoDB's errors.
    """
    with reading(path) as archive, restore_lock(database, str(path)) as claim:
        prefix = f"{PREFIX}{claim.token}_"
        manifest = archive.manifest
        migrations.check(manifest["version"], str(path))
        finish_exchange(database)
        existing = {
            name: count
            for name in collections(database)
            if name != migrations.SCHEMA
            if (count := database[name].estimated_document_count())
        }
        if existing and not replace:
            shown = ", ".join(f"{count} in {name}" for name, count in sorted(existing.items()))
            raise DatabaseNotEmpty(
                f"{database.name} holds documents ({shown}); nothing was changed. "
                "To replace them by the backup, add --replace"
            )
        discard(database)
        try:
            for name in manifest["collections"]:
                report_progress(name, _write(database, archive, name, prefix, claim))
        except BaseException:
            claim.check()
            discard(database)
            raise
        claim.check()
        exchange(database, list(manifest["collections"]), prefix)
        return manifest


def _write(
    database: Database[Document], archive: Reader, name: str, prefix: str, claim: RestoreLock
) -> int:
    """Writes one collection beside the one that it will replace; returns its document count."""
    known = archive.manifest["collections"][name]
    claim.check()
    made = database.create_collection(prefix + name, **known["options"])
    for documents in archive.chunks(name):
        claim.check()
        made.insert_many([RawBSONDocument(one) for one in documents], ordered=False)
    if (count := made.estimated_document_count()) != known["count"]:
        raise BadArchive(f"{name} has {count} documents instead of {known['count']}")
    return count


def collections(database: Database[Document]) -> list[str]:
    """Returns the names of all collections except those of a restore and of the home's id."""
    names = database.list_collection_names()
    return sorted(
        name
        for name in names
        if not name.startswith(("system.", PREFIX)) and name not in (EXCHANGE, CLAIMS, HOME)
    )


def discard(database: Database[Document]) -> None:
    """Drops the collections of a restore whose exchange has not begun."""
    for name in database.list_collection_names(filter={"name": {"$regex": f"^{PREFIX}"}}):
        database.drop_collection(name)


def exchange(database: Database[Document], names: list[str], prefix: str) -> None:
    """Replaces each collection NAME by `prefix`NAME, and drops every other collection.

    MongoDB renames one collection at a time, so the plan is stored first: if this process dies in
    between, `finish_exchange` completes it.
    """
    database[EXCHANGE].insert_one({"_id": EXCHANGE, "collections": names, "prefix": prefix})
    finish_exchange(database)


def finish_exchange(database: Database[Document]) -> bool:
    """Completes an exchange that was begun; False if there is none. Several may do it at once.

    A process that was suspended meanwhile does not affect a later exchange: its prefix differs.
    """
    found = database[EXCHANGE].find_one({"_id": EXCHANGE})
    if found is None:
        return False
    prefix = found.get("prefix", PREFIX)  # older versions stored none
    for name in found["collections"]:
        try:
            database[prefix + name].rename(name, dropTarget=True)
        except OperationFailure as error:
            if error.code != NAMESPACE_NOT_FOUND:  # that one is renamed already
                raise
    if database[EXCHANGE].find_one(found) is not None:
        for name in set(collections(database)) - set(found["collections"]):
            database.drop_collection(name)
    database[EXCHANGE].delete_one(found)
    return True
