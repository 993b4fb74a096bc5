"""Puts a backup back into a database."""

from collections.abc import Callable
from pathlib import Path

from bson.raw_bson import RawBSONDocument
from pymongo.database import Database

from market import backup, schema
from market.backup_file import BadArchive, Manifest, Reader, reading
from market.database import Document

PREFIX = "restoring_"


class Occupied(Exception):
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
    whatever goes wrong before that changes nothing. Whoever calls this has stopped what writes to
    the database, and prepares it afterwards. Raises BadArchive, Occupied, TooNew, OSError and what
    MongoDB raises.
    """
    with reading(path) as archive:
        manifest = archive.manifest
        schema.check(manifest["version"], str(path))
        names = backup.collections(database)
        held = {
            name: count
            for name in names
            if name != schema.SCHEMA and not name.startswith(PREFIX)
            if (count := database[name].estimated_document_count())
        }
        if held and not replace:
            shown = ", ".join(f"{count} in {name}" for name, count in sorted(held.items()))
            raise Occupied(
                f"{database.name} holds documents ({shown}); nothing was changed. "
                "To put the backup in their place, add --replace"
            )
        try:
            for name in manifest["collections"]:
                tell(name, _write(database, archive, name))
        except BaseException:
            _discard(database)
            raise
    for name in manifest["collections"]:
        database[PREFIX + name].rename(name, dropTarget=True)
    for name in set(names) - set(manifest["collections"]):
        database.drop_collection(name)
    return manifest


def _write(database: Database[Document], archive: Reader, name: str) -> int:
    """One collection, beside the one that it is to replace; how many documents it has."""
    known = archive.manifest["collections"][name]
    database.drop_collection(PREFIX + name)
    made = database.create_collection(PREFIX + name, **known["options"])
    for documents in archive.chunks(name):
        made.insert_many([RawBSONDocument(one) for one in documents], ordered=False)
    if (count := made.estimated_document_count()) != known["count"]:
        raise BadArchive(f"{name} has {count} documents, and not the {known['count']} it had")
    return count


def _discard(database: Database[Document]) -> None:
    for name in database.list_collection_names(filter={"name": {"$regex": f"^{PREFIX}"}}):
        database.drop_collection(name)
