"""Encodes quotes as CSV, as in RFC 4180."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from api.exports.columns import text_batches
from market.storage.quote_history import Record

# What a spreadsheet takes for the start of a formula (OWASP, "CSV Injection"), the last four in
# full width; and the mark that prevents it, so that removing one mark restores every text.
MARK = "'"
MARKED = (MARK, *"=+-@\t\r\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")

# Too many fields and an unclosed quote: pandas, polars, DuckDB and pyarrow refuse the file.
BROKEN_OFF = b'This file is incomplete: the export failed here,,,,,,,,,"\r\n'


def encode(records: Iterator[Record], names: Sequence[str]) -> Iterator[bytes]:
    """Yields a header, then a line for each record, in chunks; the header is in the first.

    Times are ISO-8601 in UTC with three decimals, numbers the shortest that read back the same;
    missing values are empty. A text that a spreadsheet could take for a formula begins with `'`.
    """
    head = _lines([names])
    for batch in text_batches(records, names):
        batch |= {name: _marked(batch[name]) for name in ("coin", "source")}
        yield head + _lines(zip(*batch.values(), strict=True))
        head = b""
    if head:
        yield head


def _marked(texts: Sequence[str]) -> list[str]:
    marked = {text: MARK + text if text.startswith(MARKED) else text for text in set(texts)}
    return [marked[text] for text in texts]


def _lines(rows: Iterable[Sequence[Any]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()
