"""The prepared database: its collections, its indexes, and what it refuses."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError, PyMongoError

from bench.harness.services import free_port, wait_until
from market.storage.database import (
    TIMEOUT_MS,
    Document,
    WrongCollection,
    connect,
    disconnect,
    prepare,
)

THREADS = 8


def test_quotes_are_clustered_and_compressed(database: Database[Document]) -> None:
    options = database["quotes"].options()
    assert options["clusteredIndex"]["key"] == {"_id": 1}
    assert options["clusteredIndex"]["unique"] is True
    written: dict[str, Any] = database.command("collStats", "quotes")
    assert "block_compressor=zstd" in written["wiredTiger"]["creationString"]
    # The key is the uniqueness, the order and the index at once: there is no other.
    assert written["nindexes"] <= 1


def test_every_collection_is_there_before_the_first_write(database: Database[Document]) -> None:
    assert {"quotes", "updates", "coins", "latest"} <= set(database.list_collection_names())


def test_the_ledger_has_its_indexes(database: Database[Document]) -> None:
    indexes = database["updates"].index_information()
    assert set(indexes) == {
        *("_id_", "received_at_-1", "slot_-1", "state_1"),
        *("state_1_trigger_1_received_at_-1", "number_1", "numbers_1"),
    }


def test_preparing_again_keeps_what_is_there(database: Database[Document]) -> None:
    # Given
    database["quotes"].insert_one({"_id": {"coin": "bitcoin", "at": 1}, "price": 1.0})
    before = {name: database[name].index_information() for name in database.list_collection_names()}
    # When
    prepare(database)
    # Then
    assert database["quotes"].count_documents({}) == 1
    assert before == {name: database[name].index_information() for name in before}


def test_several_may_prepare_at_once(database: Database[Document]) -> None:
    # Given an empty database
    database.client.drop_database(database.name)
    together = Barrier(THREADS)

    def prepared(_: int) -> None:
        together.wait()
        prepare(database)

    # When
    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(prepared, range(THREADS)))
    # Then
    assert "clusteredIndex" in database["quotes"].options()
    assert len(database["updates"].index_information()) == 7


def test_quotes_that_are_not_clustered_are_refused_and_named(database: Database[Document]) -> None:
    # Given a collection as the first write would have made it
    database.drop_collection("quotes")
    database["quotes"].insert_one({"price": 1.0})
    # When, then
    with pytest.raises(WrongCollection, match=rf"{database.name}\.quotes is not clustered by _id"):
        prepare(database)
    assert database["quotes"].count_documents({}) == 1


@pytest.mark.row("mongodb-killed")
def test_what_is_written_is_on_the_disk_of_the_majority(database: Database[Document]) -> None:
    assert database["quotes"].write_concern.document == {"w": "majority", "j": True}
    assert database.client.write_concern.acknowledged


def test_a_quote_is_there_once(database: Database[Document]) -> None:
    quote = {"_id": {"coin": "bitcoin", "at": 1}, "price": 1.0}
    database["quotes"].insert_one(quote)
    with pytest.raises(DuplicateKeyError):
        database["quotes"].insert_one(quote | {"price": 2.0})


def test_connecting_again_gives_the_same_connection(mongodb: str) -> None:
    try:
        first = connect(mongodb, "koinx_demo_usd")
        assert connect(mongodb, "koinx_demo_usd") is first
        assert connect(mongodb, "koinx_demo_eur").name == "koinx_demo_eur"
    finally:
        disconnect()
    assert connect(mongodb, "koinx_demo_usd") is not first
    disconnect()


@pytest.mark.row("mongodb-frozen")
def test_a_server_that_is_down_shows_at_the_first_operation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given a wait shorter than in use
    assert TIMEOUT_MS == 3000
    monkeypatch.setattr("market.storage.database.TIMEOUT_MS", 200)
    # When
    nowhere = connect(f"mongodb://127.0.0.1:{free_port()}/?directConnection=true", "koinx_demo_usd")
    # Then
    try:
        with pytest.raises(PyMongoError):
            nowhere["quotes"].find_one()
    finally:
        disconnect()


@pytest.mark.row("mongodb-frozen")
def test_a_query_that_takes_too_long_is_ended_on_the_server_too(
    database: Database[Document], mongodb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a wait shorter than in use, and a query that goes on for days
    database["coins"].insert_one({"_id": "bitcoin"})
    disconnect()
    monkeypatch.setattr("market.storage.database.TIMEOUT_MS", 1000)
    coins = connect(mongodb, database.name)["coins"]
    many: list[Document] = [{"$set": {"n": {"$range": [0, 10_000]}}}, {"$unwind": "$n"}]
    looked_for: list[Document] = [{"$currentOp": {}}, {"$match": {"command.comment": "days"}}]
    onlooker: MongoClient[Document] = MongoClient(mongodb)
    with onlooker, ThreadPoolExecutor(1) as thread:

        def running() -> list[Document]:
            return list(onlooker["admin"].aggregate(looked_for))

        assert running() == []
        # When
        pipeline = [*many, *many, *many, {"$count": "n"}]
        asked = thread.submit(coins.aggregate, pipeline, comment="days")
        [one] = wait_until(running, "it to run")
        # Then
        assert 0 < one["command"]["maxTimeMS"] <= 1000
        with pytest.raises(PyMongoError):
            asked.result(3)
        wait_until(lambda: not running(), "it to be ended", 2)
