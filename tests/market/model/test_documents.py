"""MongoEngine documents agree with what the store and the ledger write."""

from datetime import UTC, datetime, timedelta
from typing import Any

import mongoengine
import pytest

from market.ledger.ledger import Ledger
from market.model.documents import Coin, Quote, QuoteKey, Update
from market.model.quotes import Quote as ParsedQuote
from market.model.quotes import SkippedCoin
from market.storage.quote_store import Latest, QuoteStore

AT = datetime(2026, 11, 22, 8, 30, 0, 123_000, tzinfo=UTC)


def parsed(coin: str, **changes: Any) -> ParsedQuote:
    fields: dict[str, Any] = {
        "at": AT,
        "price": 95000.0,
        "market_cap": 1.9e12,
        "change_24h": None,
        "volume_24h": 0.0,
        "name": "Bitcoin",
        "symbol": "btc",
        "rank": 1,
        "image": None,
    }
    return ParsedQuote(coin=coin, **(fields | changes))


def test_a_stored_quote_reads_back_and_is_valid(store: QuoteStore) -> None:
    # Given
    store.record([parsed("bitcoin")], source="simulator", recorded_at=AT)
    # When
    quote = Quote.objects(pk={"coin": "bitcoin", "at": AT}).get()
    # Then
    quote.validate()
    assert (quote.key.coin, quote.key.at) == ("bitcoin", AT)
    assert (quote.price, quote.market_cap, quote.volume_24h) == (95000.0, 1.9e12, 0.0)
    assert quote.change_24h is None
    assert (quote.source, quote.recorded_at) == ("simulator", AT)
    assert Quote.objects.count() == 1


def test_an_update_reads_back_in_every_state_and_is_valid(ledger: Ledger) -> None:
    # Given one update that waits, one that is missed and one that is done
    ledger.receive("waits", trigger="event", slot=None, hops={})
    ledger.enter_missed({"missed": AT})
    ledger.receive("done", trigger="schedule", slot=AT, hops={"published": AT})
    claim = ledger.claim("done", "worker", AT)
    assert claim
    ledger.close(
        claim,
        state="done",
        hops={"fetched": AT},
        counts={"stored": 1},
        skipped=[SkippedCoin("ethereum", "its price is null")],
        error=None,
    )
    # When
    update = Update.objects(state="done").get()
    # Then
    for one in Update.objects:
        one.validate()
    assert (update.pk, update.trigger, update.slot, update.fence) == ("done", "schedule", AT, 1)
    assert (update.counts, update.error) == ({"stored": 1}, None)
    assert update.left_out == [{"coin": "ethereum", "reason": "its price is null"}]
    assert update.hops["published"] == update.hops["fetched"] == AT
    assert timedelta(0) <= update.finished_at - update.received_at < timedelta(seconds=30)
    assert {one.pk for one in Update.objects(state__in=["received", "missed"])} == {
        "waits",
        "missed",
    }


def test_a_coin_reads_back_and_is_valid(store: QuoteStore) -> None:
    store.describe([parsed("bitcoin")], Latest(0, {}), store.away())
    store.mark("matic-network", state="retired", successor="polygon-ecosystem-token")
    for coin in Coin.objects:
        coin.validate()
    bitcoin = Coin.objects(pk="bitcoin").get()
    assert (bitcoin.name, bitcoin.symbol, bitcoin.rank, bitcoin.state) == (
        "Bitcoin",
        "btc",
        1,
        "active",
    )
    assert Coin.objects(state="retired").get().successor == "polygon-ecosystem-token"


@pytest.mark.parametrize(
    "document",
    [
        Quote(key=QuoteKey(coin="a", at=AT), price=-1.0, source="s", recorded_at=AT),
        Quote(key=QuoteKey(coin="a", at=AT), source="s", recorded_at=AT),
        Quote(key=QuoteKey(coin="a" * 129, at=AT), price=1.0, source="s", recorded_at=AT),
        Quote(key=QuoteKey(coin="a"), price=1.0, source="s", recorded_at=AT),
        Coin(id="a", state="asleep"),
        Coin(id="a"),
        Update(id="a", trigger="event", state="lost", received_at=AT),
        Update(id="a", trigger="whim", state="done", received_at=AT),
        Update(id="a" * 65, trigger="event", state="done", received_at=AT),
    ],
)
def test_what_is_wrong_is_refused(document: mongoengine.Document) -> None:
    with pytest.raises(mongoengine.ValidationError):
        document.validate()
