"""Quotes as CSV, as in RFC 4180."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from api.exports.batches import batches
from api.exports.timestamps import in_text
from market.storage.quote_history import Record

# What a spreadsheet takes for the start of a formula (OWASP, "CSV Injection"), the last four in
# full width; and the mark that keeps it from that, so that a mark taken off leaves every text as
# it was.
MARK = "'"
MARKED = (MARK, *"=+-@\t\r\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")

# Fields too many and a quote that never ends: pandas, polars, DuckDB and pyarrow refuse the file.
BROKEN_OFF = b'This file is not whole: the export broke off here,,,,,,,,,"\r\n'


def encode(records: Iterator[Record], names: Sequence[str]) -> Iterator[bytes]:
    """A header, then a line for each record: in chunks, the header in the first.

    Times are ISO-8601 in UTC with three decimals, numbers the shortest that read back the same;
    what is missing is empty. A text that a spreadsheet could take for a formula begins with `'`.
    """
    head = _written([names])
    for batch in batches(records, names):
        batch |= {name: in_text(batch[name]) for name in ("at", "recorded_at")}
        batch |= {name: _marked(batch[name]) for name in ("coin", "source")}
        yield head + _written(zip(*batch.values(), strict=True))
        head = b""
    if head:
        yield head


def _marked(texts: Sequence[str]) -> list[str]:
    marked = {text: MARK + text if text.startswith(MARKED) else text for text in set(texts)}
    return [marked[text] for text in texts]


def _written(rows: Iterable[Sequence[Any]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()
