"""The prepared database: its collections, its indexes, and what it refuses."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError, PyMongoError

from market.database import TIMEOUT_MS, Document, WrongCollection, connect, disconnect, prepare
from tests.support import free_port

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
    assert {"_id_", "received_at_-1", "slot_-1", "state_1"} == set(indexes)


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
    assert len(database["updates"].index_information()) == 4


def test_quotes_that_are_not_clustered_are_refused_and_named(database: Database[Document]) -> None:
    # Given a collection as the first write would have made it
    database.drop_collection("quotes")
    database["quotes"].insert_one({"price": 1.0})
    # When, then
    with pytest.raises(WrongCollection, match=rf"{database.name}\.quotes is not clustered by _id"):
        prepare(database)
    assert database["quotes"].count_documents({}) == 1


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


def test_a_server_that_is_down_shows_at_the_first_operation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given a wait shorter than in use
    assert TIMEOUT_MS == 3000
    monkeypatch.setattr("market.database.TIMEOUT_MS", 200)
    # When
    nowhere = connect(f"mongodb://127.0.0.1:{free_port()}/?directConnection=true", "koinx_demo_usd")
    # Then
    try:
        with pytest.raises(PyMongoError):
            nowhere["quotes"].find_one()
    finally:
        disconnect()
