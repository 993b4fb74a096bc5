"""Encodes quotes as NDJSON: one object per line."""

from collections.abc import Iterator, Sequence

import orjson

from api.exports.columns import text_batches
from market.storage.quote_history import Record

BROKEN_OFF = b"This file is incomplete: the export failed here\n"  # not JSON: readers refuse it


def encode(records: Iterator[Record], names: Sequence[str]) -> Iterator[bytes]:
    """Yields a line for each record, in chunks.

    Times are ISO-8601 in UTC with three decimals; missing values are null.
    """
    for batch in text_batches(records, names):
        yield b"".join(
            orjson.dumps(dict(zip(names, row, strict=True)), option=orjson.OPT_APPEND_NEWLINE)
            for row in zip(*batch.values(), strict=True)
        )
