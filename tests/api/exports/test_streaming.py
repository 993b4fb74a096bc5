"""An export on its way."""

import gzip
import zlib
from collections.abc import Iterator

import pytest

from api.events.update_waiters import AtCapacity
from api.exports import streaming
from api.exports.streaming import MAX_CONCURRENT_EXPORTS, stream

WORDS = b"not whole\n"
CHUNKS = [b"first\n", b"second\n" * 1000, b"", b"third\n"]


class Failure(Exception):
    pass


NOWHERE = "1"  # a port that nobody is connected to


def failing(after: int) -> Iterator[bytes]:
    yield from CHUNKS[:after]
    raise Failure


def send(chunks: Iterator[bytes], *, compressed: bool = False) -> Iterator[bytes]:
    return stream(chunks, broken_off=WORDS, compressed=compressed, port=NOWHERE)


def collected(chunks: Iterator[bytes]) -> tuple[bytes, bool]:
    """What came, and whether it ended in a failure."""
    found = bytearray()
    try:
        for chunk in chunks:
            found += chunk
    except Failure:
        return bytes(found), True
    return bytes(found), False


@pytest.fixture(autouse=True)
def _all_places_are_free_again() -> Iterator[None]:
    yield
    assert streaming._places._value == MAX_CONCURRENT_EXPORTS


def test_the_first_piece_is_empty_and_no_other() -> None:
    first, *others = send(iter(CHUNKS))
    assert first == b""
    assert others == [chunk for chunk in CHUNKS if chunk]


def test_nothing_is_sent_of_nothing() -> None:
    assert list(send(iter([]))) == [b""]


def test_what_fails_first_is_told_before_anything_is_sent() -> None:
    with pytest.raises(Failure):
        next(send(failing(0)))


@pytest.mark.parametrize("after", [1, 2, 4])
def test_what_fails_later_is_told_by_last_words(after: int) -> None:
    body, failed = collected(send(failing(after)))
    assert failed
    assert body == b"".join(CHUNKS[:after]) + WORDS


def test_compressed_it_is_gzip() -> None:
    body, failed = collected(send(iter(CHUNKS), compressed=True))
    assert not failed
    assert gzip.decompress(body) == b"".join(CHUNKS)
    assert len(body) < 200


def test_compressed_the_last_words_arrive_and_the_end_is_missing() -> None:
    body, failed = collected(send(failing(2), compressed=True))
    assert failed
    reader = zlib.decompressobj(wbits=streaming.GZIP)
    assert reader.decompress(body) == b"".join(CHUNKS[:2]) + WORDS
    assert not reader.eof


def test_no_more_than_a_few_at_once() -> None:
    under_way = [send(iter(CHUNKS)) for _ in range(MAX_CONCURRENT_EXPORTS)]
    for one in under_way:
        next(one)
    with pytest.raises(AtCapacity, match="4 exports are running in this process already"):
        next(send(iter(CHUNKS)))
    # One that ends, and one that its reader leaves, make place
    assert collected(under_way.pop())[0] == b"".join(CHUNKS)
    under_way.pop().close()  # type: ignore[attr-defined]
    again = [send(iter(CHUNKS)) for _ in range(2)]
    assert [next(one) for one in again] == [b"", b""]
    with pytest.raises(AtCapacity):
        next(send(iter(CHUNKS)))


def test_the_source_is_closed_with_it() -> None:
    closed = []

    def source() -> Iterator[bytes]:
        try:
            yield from CHUNKS
        finally:
            closed.append(True)

    leaving = send(source(), compressed=True)
    next(leaving)
    next(leaving)
    del leaving
    assert closed == [True]
