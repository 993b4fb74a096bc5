"""Stores the quotes of an answer: sifted, recorded, described, merged into the latest."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from market.ingest.outlier_filter import Sieve, Sifted
from market.model.quotes import Quote
from market.storage.quote_store import Latest, QuoteStore


@dataclass(frozen=True)
class Stored:
    """How many quotes are `new`, how many held ones were `released`, and when each hop was."""

    sifted: Sifted
    new: int
    released: int
    hops: Mapping[str, datetime]


def keep(
    update: str,
    quotes: Sequence[Quote],
    latest: Latest,
    away: Container[str],
    *,
    store: QuoteStore,
    sieve: Sieve,
    source: str,
) -> Stored:
    """Stores quotes that an update has just fetched.

    `latest` and `away` are what was known of the coins before. It may die anywhere, and be
    repeated: what is there is not stored again. Quotes are marked with `source`, unless they name
    their own.
    """
    fetched = datetime.now(UTC)
    # A row that stands still is no new quote; leaving it out here saves MongoDB from refusing it.
    moved = [quote for quote in quotes if not latest.has(quote)]
    sifted = sieve.sift(update, moved, latest)
    # Released ones go first, for they are older. Recorded now: what was known before stays so.
    released = store.record(sifted.released, source=source, recorded_at=fetched)
    new = store.record(sifted.good, source=source, recorded_at=fetched)
    recorded = datetime.now(UTC)
    store.describe(quotes, latest, away)
    store.merge_latest(latest, sifted.by_time, source=source, recorded_at=fetched)
    hops = {"fetched": fetched, "stored": recorded, "merged": datetime.now(UTC)}
    return Stored(sifted, new, released, hops)
