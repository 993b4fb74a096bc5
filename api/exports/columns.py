"""The columns of an exported file: their order, and records as batches of column values."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice
from operator import attrgetter
from typing import Any

import orjson

from market.storage.quote_history import Record

COLUMNS = {
    "coin": "The coin's id at the source",
    "at": "The source's time of the quote, UTC, to the millisecond",
    "price": "In the stored currency, which the file's name ends with: `koinx_live_usd`",
    "market_cap": "In the same currency; missing where the source gave none",
    "change_24h": "24-hour price change in percent; may be missing",
    "volume_24h": "The source's rolling 24-hour total, in the same currency; may be missing. "
    "Never add these up",
    "source": "The source of the quote: `coingecko`, or `simulator` in a demo",
    "recorded_at": "When KoinX stored the quote, UTC",
    "resolution": "Only with `include=repaired`: for a repaired quote, the seconds between points "
    "of the history it was taken from; missing for a recorded one",
}
REPAIRED_ONLY = "resolution"
BATCH = 2048  # records: about 250 kB of CSV
SECONDS = len("2026-11-22T08:30:00")
MILLISECONDS = SECONDS + len(".118")


def names(*, repaired: bool) -> tuple[str, ...]:
    """Returns a file's columns; `resolution`, the last, only if it includes repaired quotes."""
    return tuple(name for name in COLUMNS if repaired or name != REPAIRED_ONLY)


def batches(records: Iterator[Record], names: Sequence[str]) -> Iterator[dict[str, Sequence[Any]]]:
    """Yields `BATCH` records at a time, by column; the last batch may be smaller."""
    values = attrgetter(*names)
    while rows := list(map(values, islice(records, BATCH))):
        yield dict(zip(names, zip(*rows, strict=True), strict=True))


def text_batches(
    records: Iterator[Record], names: Sequence[str]
) -> Iterator[dict[str, Sequence[Any]]]:
    """Yields the same with times as text."""
    for batch in batches(records, names):
        yield batch | {name: iso_texts(batch[name]) for name in ("at", "recorded_at")}


def iso_texts(times: Sequence[datetime]) -> list[str]:
    """Formats aware times as ISO-8601 in UTC, each with three decimals: 2026-11-22T08:30:00.000Z.

    Readers guess a column's format by its first lines, so all must have the same.
    """
    # Takes a sixth of isoformat's time. orjson leaves out decimals that are all 0.
    texts = orjson.dumps(times, option=orjson.OPT_UTC_Z).decode()[2:-2].split('","')
    return [
        f"{text[:MILLISECONDS]}Z" if len(text) > MILLISECONDS else f"{text[:SECONDS]}.000Z"
        for text in texts
    ]
