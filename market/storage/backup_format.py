"""A backup's file: a zip of each collection's documents in BSON, with a manifest.

Each `NAME.bson` is the documents one after the other, as `bsondump` and `mongorestore` read them.
"""

import os
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import mkstemp
from typing import IO, Any

from bson import json_util

from logs.redaction import plain

FORMAT = 1
MANIFEST = "manifest.json"
LENGTH = struct.Struct("<i")  # with which each BSON document begins: its bytes, these included
SMALLEST, LARGEST = 5, 16 * 1024 * 1024 + 16 * 1024
AT_ONCE_BYTES = 4 * 1024 * 1024

Manifest = dict[str, Any]


class BadArchive(Exception):
    """The file is no whole backup; the text says why."""


class Writer:
    """Writes an archive: its collections in turn, then the manifest."""

    def __init__(self, file: zipfile.ZipFile) -> None:
        self._file = file
        self._collections: dict[str, Manifest] = {}

    def collection(self, name: str, options: Manifest, chunks: Iterable[bytes]) -> int:
        """Adds a collection from chunks of whole documents; how many documents those are."""
        count = 0
        with self._file.open(f"{name}.bson", "w", force_zip64=True) as entry:
            for chunk in chunks:
                entry.write(chunk)
                count += sum(1 for _ in split(chunk))
        self._collections[name] = {"count": count, "options": options}
        return count

    def finish(self, database: str, version: int, taken_at: datetime) -> Manifest:
        """Adds the manifest, without which the file is no backup."""
        manifest = {
            "format": FORMAT,
            "database": database,
            "version": version,
            "taken_at": taken_at,
            "collections": self._collections,
        }
        self._file.writestr(MANIFEST, json_util.dumps(manifest, indent=2))
        return manifest


@contextmanager
def writing(path: Path) -> Iterator[Writer]:
    """A new archive, readable by its owner alone; it has its name once it is whole and on the disk.

    Raises FileExistsError: no backup takes another's place, not even one that began later.
    """
    taken = FileExistsError(f"{path} is there already: give another name")
    if path.exists():
        raise taken
    # A name of its own: two backups of one name would write into each other's file.
    handle, part = mkstemp(dir=path.parent, prefix=f"{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as raw:
            with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
                yield Writer(file)
            raw.flush()
            os.fsync(raw.fileno())
        # Unlike a rename, a link fails when another took the name meanwhile.
        try:
            os.link(part, path)
        except FileExistsError:
            raise taken from None
    finally:
        Path(part).unlink()


class Reader:
    """A whole archive: every byte was compared with its checksum when it was opened."""

    def __init__(self, file: zipfile.ZipFile, manifest: Manifest) -> None:
        self._file = file
        self.manifest = manifest

    def chunks(self, name: str) -> Iterator[list[bytes]]:
        """A collection's documents in BSON, some at a time. Raises BadArchive."""
        with self._file.open(f"{name}.bson") as entry:
            documents, size = [], 0
            for document in _documents(entry):
                documents.append(document)
                size += len(document)
                if size >= AT_ONCE_BYTES:
                    yield documents
                    documents, size = [], 0
            if documents:
                yield documents


@contextmanager
def reading(path: Path) -> Iterator[Reader]:
    """Opens an archive, after it was read through once. Raises BadArchive and OSError."""
    try:
        with zipfile.ZipFile(path) as file:
            if (spoilt := file.testzip()) is not None:
                raise BadArchive(f"{path} is damaged: {spoilt} is not what was written")
            yield Reader(file, _manifest(file, path))
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise BadArchive(f"{path} is no backup, or not a whole one: {plain(error)}") from error


def split(chunk: bytes) -> Iterator[bytes]:
    """The documents of a chunk that holds whole ones."""
    start = 0
    while start < len(chunk):
        (length,) = LENGTH.unpack_from(chunk, start)
        yield chunk[start : start + length]
        start += length


def _manifest(file: zipfile.ZipFile, path: Path) -> Manifest:
    try:
        manifest: Manifest = json_util.loads(file.read(MANIFEST))
        names = {f"{name}.bson" for name in manifest["collections"]}
    except (KeyError, TypeError, ValueError) as error:
        raise BadArchive(f"{path} is no backup: its {MANIFEST} is missing or unreadable") from error
    if manifest["format"] != FORMAT:
        raise BadArchive(f"{path} has format {manifest['format']}; this KoinX reads {FORMAT}")
    if missing := names - set(file.namelist()):
        raise BadArchive(f"{path} lacks {', '.join(sorted(missing))}")
    return manifest


def _documents(entry: IO[bytes]) -> Iterator[bytes]:
    while head := entry.read(LENGTH.size):
        length = LENGTH.unpack(head)[0] if len(head) == LENGTH.size else 0
        if not SMALLEST <= length <= LARGEST:
            raise BadArchive(f"a document claims to have {length} bytes")
        rest = entry.read(length - LENGTH.size)
        if len(rest) != length - LENGTH.size:
            raise BadArchive("the last document is not whole")
        yield head + rest
