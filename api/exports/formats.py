"""The file formats of an export, by name."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from api.exports import csv, ndjson
from market.storage.quote_history import Record

Encode = Callable[[Iterator[Record], Sequence[str]], Iterator[bytes]]


@dataclass(frozen=True)
class Format:
    """How records become a file.

    `broken_off` ends a file whose export failed, so that no reader takes it for complete.
    """

    content_type: str
    encode: Encode
    broken_off: bytes
    is_text: bool  # worth compressing in transit


def _parquet(records: Iterator[Record], names: Sequence[str]) -> Iterator[bytes]:
    from api.exports import parquet  # noqa: PLC0415 - 110 MB that few need

    return parquet.encode(records, names)


FORMATS = {
    "csv": Format("text/csv; charset=utf-8", csv.encode, csv.BROKEN_OFF, is_text=True),
    "ndjson": Format("application/x-ndjson", ndjson.encode, ndjson.BROKEN_OFF, is_text=True),
    "parquet": Format("application/vnd.apache.parquet", _parquet, b"", is_text=False),
}
