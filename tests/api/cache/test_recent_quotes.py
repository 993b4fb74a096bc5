"""What a process keeps of coins: read once, added to, bounded, and read anew in time."""

from datetime import UTC, datetime, timedelta

import pytest
from pymongo.database import Database

from api.cache.recent_quotes import RecentPriceCache
from bench.harness.services import keep, quote
from market.analytics.recent_prices import RecentPricesReader
from market.storage.database import QUOTES, Document
from market.storage.quote_store import QuoteStore
from tests.harness.mongodb_profiler import profiled

NOW = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)
SLOT = timedelta(minutes=15)
FROM_SCRATCH, ADDED, NOTHING = 2, 1, 0  # reads


@pytest.fixture
def recents(database: Database[Document], store: QuoteStore) -> RecentPriceCache:
    """Of two coins with two quotes each."""
    for coin in ("bitcoin", "ethereum"):
        keep(store, quote(coin, 40000, NOW - SLOT))
        keep(store, quote(coin, 50000, NOW))
    return RecentPriceCache(RecentPricesReader(database), max_coins=2)


def reads(database: Database[Document], recents: RecentPriceCache, **upto: datetime) -> int:
    return len(profiled(database, lambda: recents.of(upto), QUOTES))


def test_a_coin_is_read_once_for_each_new_quote(
    recents: RecentPriceCache, database: Database[Document], store: QuoteStore
) -> None:
    assert reads(database, recents, bitcoin=NOW, ethereum=NOW) == FROM_SCRATCH
    assert reads(database, recents, bitcoin=NOW, ethereum=NOW) == NOTHING

    keep(store, quote("bitcoin", 45000, NOW + SLOT))
    assert recents.of({"bitcoin": NOW})["bitcoin"].deviation == 5000.0
    assert reads(database, recents, bitcoin=NOW + SLOT, ethereum=NOW) == ADDED
    found = recents.of({"bitcoin": NOW + SLOT, "ethereum": NOW})
    assert found["bitcoin"].deviation == 4082.48
    assert found["ethereum"].deviation == 5000.0


def test_known_and_unknown_coins_are_asked_for_together(
    recents: RecentPriceCache, database: Database[Document]
) -> None:
    recents.of({"bitcoin": NOW - SLOT})
    assert reads(database, recents, bitcoin=NOW, ethereum=NOW) == FROM_SCRATCH + ADDED
    assert recents.of({}) == {}


def test_an_older_time_than_is_known_is_answered_as_of_then(recents: RecentPriceCache) -> None:
    assert recents.of({"bitcoin": NOW})["bitcoin"].deviation == 5000.0
    assert recents.of({"bitcoin": NOW - SLOT})["bitcoin"].deviation == 0.0


def test_the_coins_kept_are_bounded(
    recents: RecentPriceCache, database: Database[Document], store: QuoteStore
) -> None:
    keep(store, quote("tether", 1, NOW))
    recents.of({"bitcoin": NOW, "ethereum": NOW})
    recents.of({"tether": NOW})
    assert reads(database, recents, tether=NOW, ethereum=NOW) == NOTHING
    assert reads(database, recents, bitcoin=NOW) == FROM_SCRATCH


def test_after_a_while_a_coin_is_read_from_scratch(
    recents: RecentPriceCache,
    database: Database[Document],
    store: QuoteStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("api.cache.recent_quotes.TRUST_SECONDS", 0)
    recents.of({"bitcoin": NOW})
    keep(store, quote("bitcoin", 45000, NOW - 99 * SLOT))  # later than quotes are looked for
    assert reads(database, recents, bitcoin=NOW) == FROM_SCRATCH
    assert len(recents.of({"bitcoin": NOW})["bitcoin"].prices) == 3
