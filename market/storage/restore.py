"""Puts a backup back into a database."""

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
EXCHANGE = "restoring"  # the collection, and its one document while an exchange goes on
NAMESPACE_NOT_FOUND = 26


class DatabaseNotEmpty(Exception):
    """The database holds documents, and nobody said that the backup is to replace them."""


def restore(
    database: Database[Document],
    path: Path,
    *,
    replace: bool = False,
    tell: Callable[[str, int], None] = lambda *_: None,
) -> Manifest:
    """Has the database hold what the backup holds, and nothing else; returns its manifest.

    First all of it is written beside what is there, then the collections are exchanged one by one:
    whatever goes wrong before that changes nothing, and an exchange that was interrupted is
    finished by the next start, backup or restore. Whoever calls this has stopped what writes to the
    database, and prepares it afterwards. Of two restores at once the second raises Busy. Raises
    BadArchive, Occupied, TooNew, OSError and what MongoDB raises as well.
    """
    with reading(path) as archive, restore_lock(database, str(path)) as claim:
        prefix = f"{PREFIX}{claim.token}_"
        manifest = archive.manifest
        migrations.check(manifest["version"], str(path))
        finish(database)
        held = {
            name: count
            for name in collections(database)
            if name != migrations.SCHEMA
            if (count := database[name].estimated_document_count())
        }
        if held and not replace:
            shown = ", ".join(f"{count} in {name}" for name, count in sorted(held.items()))
            raise DatabaseNotEmpty(
                f"{database.name} holds documents ({shown}); nothing was changed. "
                "To put the backup in their place, add --replace"
            )
        discard(database)
        try:
            for name in manifest["collections"]:
                tell(name, _write(database, archive, name, prefix, claim))
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
    """One collection, beside the one that it is to replace; how many documents it has."""
    known = archive.manifest["collections"][name]
    claim.check()
    made = database.create_collection(prefix + name, **known["options"])
    for documents in archive.chunks(name):
        claim.check()
        made.insert_many([RawBSONDocument(one) for one in documents], ordered=False)
    if (count := made.estimated_document_count()) != known["count"]:
        raise BadArchive(f"{name} has {count} documents, and not the {known['count']} it had")
    return count


def collections(database: Database[Document]) -> list[str]:
    """The names of all collections that are ours, but for those of a restore and the home's id."""
    names = database.list_collection_names()
    return sorted(
        name
        for name in names
        if not name.startswith(("system.", PREFIX)) and name not in (EXCHANGE, CLAIMS, HOME)
    )


def discard(database: Database[Document]) -> None:
    """Drops what was written for an exchange that has not begun."""
    for name in database.list_collection_names(filter={"name": {"$regex": f"^{PREFIX}"}}):
        database.drop_collection(name)


def exchange(database: Database[Document], names: list[str], prefix: str) -> None:
    """Has each `prefix`NAME take the place of NAME, and drops every other collection.

    MongoDB renames one collection at a time. Whatever ends this process in between, `finish` does
    the rest: what is to be done is written down first.
    """
    database[EXCHANGE].insert_one({"_id": EXCHANGE, "collections": names, "prefix": prefix})
    finish(database)


def finish(database: Database[Document]) -> bool:
    """Finishes an exchange that was begun; False if there is none. Several may do it at once.

    One that stood still meanwhile does nothing to a later exchange, whose prefix is another.
    """
    found = database[EXCHANGE].find_one({"_id": EXCHANGE})
    if found is None:
        return False
    prefix = found.get("prefix", PREFIX)  # an exchange of before has none of its own
    for name in found["collections"]:
        try:
            database[prefix + name].rename(name, dropTarget=True)
        except OperationFailure as error:
            if error.code != NAMESPACE_NOT_FOUND:  # that one has its name already
                raise
    if database[EXCHANGE].find_one(found) is not None:
        for name in set(collections(database)) - set(found["collections"]):
            database.drop_collection(name)
    database[EXCHANGE].delete_one(found)
    return True
