"""Stores the quotes of an update: filters, records and describes them, and merges the latest."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from market.ingest.outlier_filter import FilterResult, OutlierFilter
from market.model.quotes import Quote
from market.storage.quote_store import Latest, QuoteStore


@dataclass(frozen=True)
class StoredQuotes:
    """How many quotes are `new`, how many were `released` from quarantine, and each hop's time."""

    filtered: FilterResult
    new: int
    released: int
    hops: Mapping[str, datetime]


def store_quotes(
    update: str,
    quotes: Sequence[Quote],
    latest: Latest,
    away: Container[str],
    *,
    store: QuoteStore,
    outlier_filter: OutlierFilter,
    source: str,
) -> StoredQuotes:
    """Stores quotes that an update has just fetched.

    `latest` and `away` are what was known of the coins before. The process may die anywhere and
    the run be repeated: a stored quote is not stored again. Quotes are marked with `source`, unless
    they name their own.
    """
    fetched = datetime.now(UTC)
    # A quote with a known time is not new; removing it here spares MongoDB from refusing it.
    moved = [quote for quote in quotes if not latest.has(quote)]
    filtered = outlier_filter.apply(update, moved, latest)
    # Released quotes first: they are older. They are recorded now: what was known before stays so.
    released = store.record(filtered.released, source=source, recorded_at=fetched)
    new = store.record(filtered.accepted, source=source, recorded_at=fetched)
    stored = datetime.now(UTC)
    store.describe(quotes, latest, away)
    store.merge_latest(latest, filtered.by_time, source=source, recorded_at=fetched)
    hops = {"fetched": fetched, "stored": stored, "merged": datetime.now(UTC)}
    return StoredQuotes(filtered, new, released, hops)
