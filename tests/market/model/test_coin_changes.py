"""What becomes of a coin, in its record: MongoDB compares and enters."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo.database import Database

from bench.harness.services import keep, quote
from market.model.coin_changes import MAX_CHANGES, change_pipeline
from market.storage.database import Document
from market.storage.quote_store import QuoteStore

NOW = datetime.now(UTC)


def told(database: Database[Document], coin: str = "bitcoin") -> list[tuple[str, Any, Any]]:
    found = database["coins"].find_one({"_id": coin}) or {}
    return [(one["what"], one["old"], one["new"]) for one in found["changes"]]


def test_a_new_coin_is_collected_from_then_on(
    store: QuoteStore, database: Database[Document]
) -> None:
    before = datetime.now(UTC)
    keep(store, quote("bitcoin", 1.0))
    assert told(database) == [("state", None, "active")]
    [entry] = (database["coins"].find_one() or {})["changes"]
    assert abs(entry["at"] - before) < timedelta(minutes=1)


def test_a_renamed_symbol_is_entered_once(store: QuoteStore, database: Database[Document]) -> None:
    keep(store, quote("bitcoin", 1.0, NOW - timedelta(minutes=2), symbol="btc"))
    # When the same update is carried out twice, as after a worker's death
    latest, new = store.latest(), quote("bitcoin", 2.0, symbol="xbt", name="Bitcoin II")
    for _ in range(2):
        store.describe([new], latest, store.away())
    # Then
    assert sorted(told(database)) == [
        ("name", "Bitcoin", "Bitcoin II"),
        ("state", None, "active"),
        ("symbol", "btc", "xbt"),
    ]


def test_ranks_and_images_are_no_news(store: QuoteStore, database: Database[Document]) -> None:
    keep(store, quote("bitcoin", 1.0, NOW - timedelta(minutes=2), rank=1))
    keep(store, quote("bitcoin", 2.0, rank=2, image="https://images.invalid/1"))
    assert told(database) == [("state", None, "active")]


def test_a_coin_leaves_and_comes_back(store: QuoteStore, database: Database[Document]) -> None:
    keep(store, quote("bitcoin", 1.0, NOW - timedelta(minutes=2)), quote("ethereum", 1.0))
    # When it is no longer among the top, for two updates, and then is
    store.mark_left(["bitcoin"])
    store.mark_left(["bitcoin"])
    assert store.coins()["bitcoin"]["state"] == "left"
    store.describe([quote("bitcoin", 2.0)], store.latest(), store.away())
    # Then
    assert told(database)[1:] == [("state", "active", "left"), ("state", "left", "active")]
    assert told(database, "ethereum") == [("state", None, "active")]


def test_a_retired_coin_names_its_successor(
    store: QuoteStore, database: Database[Document]
) -> None:
    for _ in range(2):
        store.mark("matic-network", state="retired", successor="polygon-ecosystem-token")
    assert told(database, "matic-network") == [
        ("state", None, "retired"),
        ("successor", None, "polygon-ecosystem-token"),
    ]


@pytest.mark.parametrize("value", ["$symbol", "$$NOW", "", None])
def test_a_name_is_text_whatever_it_holds(database: Database[Document], value: Any) -> None:
    coins = database["coins"]
    coins.update_one(
        {"_id": "x"}, change_pipeline({"symbol": value, "state": "active"}), upsert=True
    )
    assert (coins.find_one({"_id": "x"}) or {})["symbol"] == value


def test_the_record_is_bounded(database: Database[Document]) -> None:
    coins = database["coins"]
    for number in range(MAX_CHANGES + 5):
        state = "active" if number % 2 else "left"
        coins.update_one({"_id": "x"}, change_pipeline({"state": state}), upsert=True)
    changes = (coins.find_one({"_id": "x"}) or {})["changes"]
    assert len(changes) == MAX_CHANGES
    assert changes[-1]["new"] == "left"
