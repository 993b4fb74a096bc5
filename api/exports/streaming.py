"""Streams an export: limits how many run, compresses it, and aborts the connection on failure."""

import zlib
from collections.abc import Iterator
from itertools import chain
from threading import BoundedSemaphore

from api.events.update_waiters import AtCapacity
from api.exports.connection_abort import ResponseConnection, chunk_bytes

MAX_CONCURRENT_EXPORTS = 4  # per process: each holds a thread, and all share one interpreter
GZIP = 31  # zlib's number for the gzip format
# Of CSV, level 1 makes 35 % at 139 MB/s, 6 makes 33 % at 30 MB/s; CSV is encoded at 10 MB/s.
LEVEL = 1

_places = BoundedSemaphore(MAX_CONCURRENT_EXPORTS)


def stream(
    chunks: Iterator[bytes], *, broken_off: bytes, compressed: bool, port: str
) -> Iterator[bytes]:
    """Yields what goes over the wire from `port` of this process; holds a place until its end.

    The first piece is empty, and comes once the first chunk is there: what fails before, or
    AtCapacity, can be a response of its own. When `chunks` fails later, `broken_off` is sent, and
    the connection ends without the body's last chunk, so that the client reports an error.
    """
    if not _places.acquire(blocking=False):
        raise AtCapacity(f"{MAX_CONCURRENT_EXPORTS} exports are running in this process already")
    try:
        begun = chain([next(chunks, b"")], chunks)
        connection = ResponseConnection(port)
        yield b""
        ended = _end_with(begun, broken_off)
        yield from _abort_on_failure(_gzip(ended) if compressed else ended, connection)
    finally:
        _places.release()


def _end_with(chunks: Iterator[bytes], broken_off: bytes) -> Iterator[bytes]:
    try:
        yield from chunks
    except Exception:
        yield broken_off
        raise


def _gzip(chunks: Iterator[bytes]) -> Iterator[bytes]:
    gzip = zlib.compressobj(LEVEL, wbits=GZIP)
    try:
        for chunk in chunks:
            yield gzip.compress(chunk)
    except Exception:
        yield gzip.flush(zlib.Z_SYNC_FLUSH)  # sends `broken_off`, but not the end of the file
        raise
    yield gzip.flush()


def _abort_on_failure(chunks: Iterator[bytes], connection: ResponseConnection) -> Iterator[bytes]:
    sent = 0
    try:
        for chunk in filter(None, chunks):
            sent += chunk_bytes(chunk)
            yield chunk
    except Exception:
        connection.abort(sent)
        raise
