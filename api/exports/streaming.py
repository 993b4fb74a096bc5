"""An export on its way: how many at once, compressed or not, and how it ends when it breaks off."""

import zlib
from collections.abc import Iterator
from itertools import chain
from threading import BoundedSemaphore

from api.events.update_waiters import AtCapacity
from api.exports.connection_abort import ResponseConnection, chunk_bytes

MAX_CONCURRENT_EXPORTS = 4  # in a process: each holds a thread, and all share one interpreter
GZIP = 31  # what zlib calls gzip's form
# Of CSV, level 1 makes 35 % at 139 MB/s, 6 makes 33 % at 30 MB/s; it is made at 10 MB/s.
LEVEL = 1

_places = BoundedSemaphore(MAX_CONCURRENT_EXPORTS)


def sent(
    chunks: Iterator[bytes], *, broken_off: bytes, compressed: bool, port: str
) -> Iterator[bytes]:
    """What goes over the wire from `port` of this process, holding a place until its end.

    The first piece is empty, and comes once the first chunk is there: what fails before, or an
    AtCapacity can be an answer. When `chunks` fails later, `broken_off` is sent, and the
    connection is ended without the body's last chunk: the client sees that something is missing.
    """
    if not _places.acquire(blocking=False):
        raise AtCapacity(f"{MAX_CONCURRENT_EXPORTS} exports run in this process already")
    try:
        begun = chain([next(chunks, b"")], chunks)
        wire = ResponseConnection(port)
        yield b""
        told = _with_last_words(begun, broken_off)
        yield from _cut_where_broken(_gzipped(told) if compressed else told, wire)
    finally:
        _places.release()


def _with_last_words(chunks: Iterator[bytes], words: bytes) -> Iterator[bytes]:
    try:
        yield from chunks
    except Exception:
        yield words
        raise


def _gzipped(chunks: Iterator[bytes]) -> Iterator[bytes]:
    gzip = zlib.compressobj(LEVEL, wbits=GZIP)
    try:
        for chunk in chunks:
            yield gzip.compress(chunk)
    except Exception:
        yield gzip.flush(zlib.Z_SYNC_FLUSH)  # so that the last words arrive; the end is missing
        raise
    yield gzip.flush()


def _cut_where_broken(chunks: Iterator[bytes], wire: ResponseConnection) -> Iterator[bytes]:
    carried = 0
    try:
        for chunk in filter(None, chunks):
            carried += chunk_bytes(chunk)
            yield chunk
    except Exception:
        wire.cut(carried)
        raise
