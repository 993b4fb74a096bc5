"""Storing an answer's quotes: what it says of them, and what is there when it dies on the way."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from bench.harness.services import quote
from market.ingest.outlier_filter import OutlierFilter
from market.ingest.store_quotes import StoredQuotes, store_quotes
from market.ledger.claims import LeaseLost
from market.ledger.lease import Lease
from market.ledger.ledger import Ledger, UpdateClaim
from market.model.quotes import Quote
from market.storage.quote_store import QuoteStore

START = datetime(2026, 11, 23, 8, tzinfo=UTC)


@pytest.fixture
def lease(ledger: Ledger) -> Lease:
    return Lease(ledger, UpdateClaim("a", 1, 1, None, START))


@pytest.fixture
def store_all(
    lease: Lease, store: QuoteStore, outlier_filter: OutlierFilter
) -> Callable[..., StoredQuotes]:
    def stored(*quotes: Quote) -> StoredQuotes:
        known = store.latest(), store.away()
        check = lease.check
        into, through = store.under(check), outlier_filter.under(check)
        return store_quotes(
            "a", quotes, *known, store=into, outlier_filter=through, source="simulator"
        )

    return stored


def test_what_is_new_is_stored_described_and_merged(
    store_all: Callable[..., StoredQuotes], store: QuoteStore
) -> None:
    first = [quote("bitcoin", 60_000.0, START), quote("ether", 3000.0, START)]
    assert store_all(*first).new == 2
    # When one of the two has moved
    later = quote("bitcoin", 60_100.0, START + timedelta(minutes=15))
    stored = store_all(later, first[1])
    # Then
    assert (stored.new, stored.released, stored.filtered.accepted) == (1, 0, [later])
    assert [one["price"] for one in store.newest("bitcoin")] == [60_100.0, 60_000.0]
    assert store.latest().coins["bitcoin"]["price"] == 60_100.0
    assert store.coins()["ether"]["name"] == "Ether"
    hops = stored.hops
    assert list(hops) == ["fetched", "stored", "merged"]
    assert list(hops.values()) == sorted(hops.values())
    assert store.newest("bitcoin")[0]["recorded_at"] - hops["fetched"] < timedelta(milliseconds=1)


def test_a_tick_is_held_and_released_by_the_next_price(
    store_all: Callable[..., StoredQuotes], store: QuoteStore
) -> None:
    steps = [START + number * timedelta(minutes=15) for number in range(3)]
    assert store_all(quote("bitcoin", 60_000.0, steps[0])).new == 1
    assert store_all(quote("bitcoin", 600_000.0, steps[1])).new == 0
    stored = store_all(quote("bitcoin", 610_000.0, steps[2]))
    assert (stored.new, stored.released) == (1, 1)
    assert [one["price"] for one in store.newest("bitcoin")] == [610_000.0, 600_000.0, 60_000.0]


def test_without_a_lease_nothing_is_stored(
    store_all: Callable[..., StoredQuotes],
    store: QuoteStore,
    lease: Lease,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def ran_out() -> None:
        raise LeaseLost("it ran out")

    monkeypatch.setattr(lease, "check", ran_out)
    with pytest.raises(LeaseLost):
        store_all(quote("bitcoin", 60_000.0, START))
    assert store.newest("bitcoin") == []
    assert (store.latest().coins, store.coins()) == ({}, {})
