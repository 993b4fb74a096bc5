"""Quotes in real MongoDB: each once, read back in order, and the latest of all coins."""

import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any

import pytest
from pymongo import WriteConcern
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import BulkWriteError

from market.model.quotes import DEVIATION_WINDOW, Quote
from market.storage.database import Document, insert_new
from market.storage.quote_store import QUOTE_BATCH, Latest, QuoteStore

AT = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)
WRITERS = 8


def quote(coin: str = "bitcoin", step: int = 0, **changes: Any) -> Quote:
    """The coin's quote of a minute."""
    fields: dict[str, Any] = {
        "at": AT + timedelta(minutes=step),
        "price": 100.0 + step,
        "market_cap": 1e9,
        "change_24h": None,
        "volume_24h": 1e6,
        "name": coin.title(),
        "symbol": coin[:3],
        "rank": 1,
        "image": None,
    }
    return Quote(coin=coin, **(fields | changes))


def record(store: QuoteStore, *quotes: Quote) -> int:
    return store.record(quotes, source="simulator", recorded_at=AT)


def merge(store: QuoteStore, latest: Latest, *quotes: Quote) -> None:
    store.merge_latest(latest, quotes, source="simulator", recorded_at=AT)


@pytest.mark.row("worker-killed")
def test_a_quote_that_comes_twice_is_stored_once_and_the_first_stands(store: QuoteStore) -> None:
    # Given
    assert record(store, quote(), quote("ethereum")) == 2
    # When one of them comes again, changed, beside new ones
    assert record(store, quote(step=1), quote(price=7.0), quote(step=2)) == 2
    # Then
    assert [one["price"] for one in store.newest("bitcoin")] == [102.0, 101.0, 100.0]
    assert record(store) == 0


def test_of_more_than_a_write_holds_each_is_stored_once_and_those_new_are_counted(
    store: QuoteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[list[str]] = []

    def insert(collection: Collection[Document], documents: Sequence[Document]) -> int:
        written.append([one["_id"]["coin"] for one in documents])
        return insert_new(collection, documents)

    monkeypatch.setattr("market.storage.quote_store.insert_new", insert)
    coins = [f"coin-{number}" for number in range(QUOTE_BATCH + 2)]
    random.Random(1).shuffle(coins)
    assert record(store, *map(quote, sorted(coins)[::2])) == len(coins) // 2
    assert record(store, *map(quote, coins)) == len(coins) // 2
    written.clear()
    assert record(store, *map(quote, coins)) == 0
    # In the order of the cluster, so that a block is read and written once.
    assert written == [sorted(coins)[:QUOTE_BATCH], sorted(coins)[QUOTE_BATCH:]]
    assert store.count() == len(coins)


def test_a_quote_is_stored_as_it_is(store: QuoteStore) -> None:
    record(store, quote(market_cap=None))
    assert store.newest("bitcoin") == [
        {
            "_id": {"coin": "bitcoin", "at": AT},
            "price": 100.0,
            "market_cap": None,
            "change_24h": None,
            "volume_24h": 1e6,
            "source": "simulator",
            "recorded_at": AT,
        }
    ]


def test_many_writers_at_once_store_each_quote_once(
    store: QuoteStore, database: Database[Document]
) -> None:
    quotes = [quote(f"coin-{n}") for n in range(200)]
    together = Barrier(WRITERS)

    def write(_: int) -> int:
        together.wait()
        return record(store, *quotes)

    with ThreadPoolExecutor(WRITERS) as threads:
        stored = list(threads.map(write, range(WRITERS)))
    assert sum(stored) == 200
    assert database["quotes"].count_documents({}) == 200


def test_an_error_that_is_no_double_is_raised(
    store: QuoteStore, database: Database[Document]
) -> None:
    # Given a collection that takes no price below 100
    database.command("collMod", "quotes", validator={"price": {"$gte": 100}})
    record(store, quote())
    # When, then
    with pytest.raises(BulkWriteError):
        record(store, quote(), quote(step=1, price=1.0))


@pytest.mark.row("mongodb-killed")
def test_quotes_that_no_majority_has_are_not_taken_for_stored(database: Database[Document]) -> None:
    # Given a second member that is asked for and is not there
    unsafe = QuoteStore(database.with_options(write_concern=WriteConcern(w=2, wtimeout=100)))
    # When, then, new or known
    for _ in range(2):
        with pytest.raises(BulkWriteError):
            record(unsafe, quote())


def test_the_newest_come_first_and_are_bounded(store: QuoteStore) -> None:
    record(store, *(quote(step=step) for step in range(DEVIATION_WINDOW + 20)))
    assert len(store.newest("bitcoin")) == DEVIATION_WINDOW == 100
    assert [one["price"] for one in store.newest("bitcoin", 3)] == [219.0, 218.0, 217.0]
    assert store.newest("nobody") == []


def test_coins_whose_ids_begin_alike_never_mix(store: QuoteStore) -> None:
    coins = ["bit", "bitcoin", "bitcoin-cash", "Bitcoin", "bitcoin ", "bitcoi", "bitcoin\uffff"]
    record(store, *(quote(coin, step) for coin in coins for step in range(3)))
    for coin in coins:
        found = store.newest(coin)
        assert [one["_id"]["coin"] for one in found] == [coin] * 3
        assert [one["price"] for one in found] == [102.0, 101.0, 100.0]


def test_the_newest_are_read_in_the_order_of_the_cluster(
    store: QuoteStore, database: Database[Document]
) -> None:
    # Given 20,000 quotes of other coins around those that are asked for
    for coin in ("aave", "bitcoi", "bitcoin-cash", "zcash"):
        record(store, *(quote(coin, step) for step in range(5000)))
    record(store, *(quote(step=step) for step in range(150)))
    # When MongoDB is asked how it read
    database.command("profile", 2)
    try:
        found = store.newest("bitcoin", 100)
    finally:
        database.command("profile", 0)
    (how,) = database["system.profile"].find({"op": "query", "ns": f"{database.name}.quotes"})
    # Then
    assert len(found) == 100
    assert how["planSummary"] == "CLUSTERED_IXSCAN"
    assert 100 <= how["docsExamined"] <= 102
    assert not how.get("hasSortStage")


def test_before_anything_was_merged_there_is_no_latest(store: QuoteStore) -> None:
    assert store.latest() == Latest(0, {})


def test_the_latest_know_what_is_new_and_what_is_the_same(store: QuoteStore) -> None:
    merge(store, store.latest(), quote(step=1))
    latest = store.latest()
    assert latest.version == 1
    assert (latest.is_behind(quote(step=2)), latest.has(quote(step=2))) == (True, False)
    assert (latest.is_behind(quote(step=1)), latest.has(quote(step=1))) == (False, True)
    assert (latest.is_behind(quote(step=0)), latest.has(quote(step=0))) == (False, False)
    assert (latest.is_behind(quote("dash")), latest.has(quote("dash"))) == (True, False)


def test_merging_keeps_coins_that_did_not_come_and_never_goes_back(store: QuoteStore) -> None:
    # Given
    merge(store, store.latest(), quote(step=5), quote("dash", 5))
    # When an older quote of one coin comes with a first one of another
    merge(store, store.latest(), quote(step=4), quote("tron", 1))
    merge(store, Latest(0, {}), quote(step=3), quote("sui", 1))
    # Then
    latest = store.latest()
    assert {coin: one["price"] for coin, one in latest.coins.items()} == {
        "bitcoin": 105.0,
        "dash": 105.0,
        "tron": 101.0,
        "sui": 101.0,
    }
    merge(store, latest, quote(step=5))
    assert store.latest().version == latest.version


def test_many_writers_at_once_lose_no_coin_and_never_go_back(
    store: QuoteStore, database: Database[Document]
) -> None:
    # Given writers with a coin of their own, and one that all of them have
    together = Barrier(WRITERS)

    def write(number: int) -> None:
        together.wait()
        for step in range(5):
            latest = store.latest()
            shared = quote(step=10 * ((number + step) % WRITERS) + number)
            merge(store, latest, quote(f"coin-{number}", step), shared)
            seen.append(store.latest().coins["bitcoin"]["at"])

    seen: list[datetime] = []
    # When
    with ThreadPoolExecutor(WRITERS) as threads:
        list(threads.map(write, range(WRITERS)))
    # Then
    coins = store.latest().coins
    assert {coin: one["price"] for coin, one in coins.items()} == {
        "bitcoin": 100.0 + 10 * (WRITERS - 1) + WRITERS - 1,
        **{f"coin-{number}": 104.0 for number in range(WRITERS)},
    }
    assert max(seen) == coins["bitcoin"]["at"]
    assert database["latest"].count_documents({}) == 1


def test_what_is_known_of_a_coin_is_written_when_it_changes(
    store: QuoteStore, database: Database[Document]
) -> None:
    # Given
    store.describe([quote(), quote("dash")], store.latest(), store.away())
    merge(store, store.latest(), quote(), quote("dash"))
    database["coins"].update_many({}, {"$set": {"untouched": True}})
    # When one of them has another rank
    store.describe([quote(step=1, rank=2), quote("dash", 1)], store.latest(), store.away())
    # Then
    coins = store.coins()
    assert (coins["bitcoin"]["rank"], coins["dash"]["rank"]) == (2, 1)
    assert [change["new"] for change in coins["dash"].pop("changes")] == ["active"]
    assert coins["dash"] == {
        "_id": "dash",
        "name": "Dash",
        "symbol": "das",
        "rank": 1,
        "image": None,
        "state": "active",
        "successor": None,
        "untouched": True,
    }


def test_a_coin_that_is_marked_keeps_its_name_until_it_comes_back(store: QuoteStore) -> None:
    # Given
    store.describe([quote()], store.latest(), store.away())
    merge(store, store.latest(), quote())
    store.mark("nobody", state="missing")
    store.mark("bitcoin", state="retired", successor="bitcoin-2")
    marked = store.coins()["bitcoin"]
    assert (marked["name"], marked["state"], marked["successor"]) == (
        "Bitcoin",
        "retired",
        "bitcoin-2",
    )
    # When it is quoted again, under the same name and rank
    store.describe([quote(step=1)], store.latest(), store.away())
    # Then
    back = store.coins()
    assert (back["bitcoin"]["state"], back["bitcoin"]["successor"]) == ("active", None)
    assert back["nobody"]["state"] == "missing"
