"""Records in batches of columns: what is written at once, and held for it."""

from collections.abc import Iterator, Sequence
from itertools import islice
from operator import attrgetter
from typing import Any

from market.storage.quote_history import Record

BATCH = 2048  # records: about 250 kB of CSV


def batches(records: Iterator[Record], names: Sequence[str]) -> Iterator[dict[str, Sequence[Any]]]:
    """Each next `BATCH` records, the last ones fewer, by column; none for no records."""
    values = attrgetter(*names)
    while rows := list(map(values, islice(records, BATCH))):
        yield dict(zip(names, zip(*rows, strict=True), strict=True))
