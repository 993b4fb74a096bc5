"""Puts a backup back into a database."""

from collections.abc import Callable
from pathlib import Path

from bson.raw_bson import RawBSONDocument
from pymongo.database import Database

from market.storage import migrations
from market.storage.backup_format import BadArchive, Manifest, Reader, reading
from market.storage.collection_swap import PREFIX, collections, discard, exchange, finish
from market.storage.database import Document
from market.storage.restore_lock import Alone, alone


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
    whatever goes wrong before that changes nothing, and an exchange that was interrupted is
    finished by the next start, backup or restore. Whoever calls this has stopped what writes to the
    database, and prepares it afterwards. Of two restores at once the second raises Busy. Raises
    BadArchive, Occupied, TooNew, OSError and what MongoDB raises as well.
    """
    with reading(path) as archive, alone(database, str(path)) as claim:
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
            raise Occupied(
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
    database: Database[Document], archive: Reader, name: str, prefix: str, claim: Alone
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
