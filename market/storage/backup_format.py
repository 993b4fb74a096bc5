"""Reads and writes backup files: a zip of each collection's documents in BSON, with a manifest.

Each `NAME.bson` is a sequence of documents, as `bsondump` and `mongorestore` read them.
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
LENGTH = struct.Struct("<i")  # each BSON document begins with its length in bytes
SMALLEST, LARGEST = 5, 16 * 1024 * 1024 + 16 * 1024
CHUNK_BYTES = 4 * 1024 * 1024

Manifest = dict[str, Any]


class BadArchive(Exception):
    """The file is not a complete backup; the message says why."""


class Writer:
    """Writes an archive: one collection after the other, then the manifest."""

    def __init__(self, file: zipfile.ZipFile) -> None:
        self._file = file
        self._collections: dict[str, Manifest] = {}

    def collection(self, name: str, options: Manifest, chunks: Iterable[bytes]) -> int:
        """Adds a collection from chunks of whole documents; returns the number of documents."""
        count = 0
        with self._file.open(f"{name}.bson", "w", force_zip64=True) as entry:
            for chunk in chunks:
                entry.write(chunk)
                count += sum(1 for _ in split(chunk))
        self._collections[name] = {"count": count, "options": options}
        return count

    def finish(self, database: str, version: int, taken_at: datetime) -> Manifest:
        """Adds the manifest, which completes the backup."""
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
    """Creates an archive that only its owner can read; it gets its name once it is safely on disk.

    Raises FileExistsError: no backup overwrites another one, not even one that began later.
    """
    taken = FileExistsError(f"{path} already exists: choose another name")
    if path.exists():
        raise taken
    # A unique name, since two concurrent backups would write into the same file.
    handle, part = mkstemp(dir=path.parent, prefix=f"{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as raw:
            with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
                yield Writer(file)
            raw.flush()
            os.fsync(raw.fileno())
        # Unlike a rename, a link fails if the name was taken meanwhile.
        try:
            os.link(part, path)
        except FileExistsError:
            raise taken from None
    finally:
        Path(part).unlink()


class Reader:
    """Reads a complete archive; opening it compared every byte with its checksum."""

    def __init__(self, file: zipfile.ZipFile, manifest: Manifest) -> None:
        self._file = file
        self.manifest = manifest

    def chunks(self, name: str) -> Iterator[list[bytes]]:
        """Yields a collection's documents in BSON, in lists of some MB. Raises BadArchive."""
        with self._file.open(f"{name}.bson") as entry:
            documents, size = [], 0
            for document in _documents(entry):
                documents.append(document)
                size += len(document)
                if size >= CHUNK_BYTES:
                    yield documents
                    documents, size = [], 0
            if documents:
                yield documents


@contextmanager
def reading(path: Path) -> Iterator[Reader]:
    """Verifies and opens an archive. Raises BadArchive and OSError."""
    try:
        with zipfile.ZipFile(path) as file:
            if (damaged := file.testzip()) is not None:
                raise BadArchive(f"{path} is damaged: the checksum of {damaged} does not match")
            yield Reader(file, _manifest(file, path))
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise BadArchive(f"{path} is not a complete backup: {plain(error)}") from error


def split(chunk: bytes) -> Iterator[bytes]:
    """Splits a chunk of whole documents."""
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
        raise BadArchive(
            f"{path} is not a backup: its {MANIFEST} is missing or unreadable"
        ) from error
    if manifest["format"] != FORMAT:
        raise BadArchive(f"{path} has format {manifest['format']}; this KoinX reads {FORMAT}")
    if missing := names - set(file.namelist()):
        raise BadArchive(f"{path} lacks {', '.join(sorted(missing))}")
    return manifest


def _documents(entry: IO[bytes]) -> Iterator[bytes]:
    while head := entry.read(LENGTH.size):
        length = LENGTH.unpack(head)[0] if len(head) == LENGTH.size else 0
        if not SMALLEST <= length <= LARGEST:
            raise BadArchive(f"a document has an impossible length of {length} bytes")
        rest = entry.read(length - LENGTH.size)
        if len(rest) != length - LENGTH.size:
            raise BadArchive("the last document is incomplete")
        yield head + rest
