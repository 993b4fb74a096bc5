"""Quotes as NDJSON: an object a line."""

from collections.abc import Iterator, Sequence

import orjson

from api.exports.batches import batches
from api.exports.timestamps import in_text
from market.storage.quote_history import Record

BROKEN_OFF = b"This file is not whole: the export broke off here\n"  # no JSON: readers refuse it


def encode(records: Iterator[Record], names: Sequence[str]) -> Iterator[bytes]:
    """A line for each record, in chunks.

    Times are ISO-8601 in UTC with three decimals; what is missing is null.
    """
    for batch in batches(records, names):
        batch |= {name: in_text(batch[name]) for name in ("at", "recorded_at")}
        yield b"".join(
            orjson.dumps(dict(zip(names, row, strict=True)), option=orjson.OPT_APPEND_NEWLINE)
            for row in zip(*batch.values(), strict=True)
        )
