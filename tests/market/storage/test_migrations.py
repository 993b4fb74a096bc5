"""The schema's version, and the steps from one to the next."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from pymongo import MongoClient
from pymongo.database import Database

from bench.harness.services import wait_until
from market.storage import migrations
from market.storage.database import Document
from market.storage.migrations import SCHEMA, TooNew, check, migrate, newest, version


@pytest.fixture
def empty(mongodb: str) -> Iterator[Database[Document]]:
    with MongoClient[Document](mongodb) as client:
        client.drop_database("koinx_schema")
        yield client["koinx_schema"]
        client.drop_database("koinx_schema")


@pytest.fixture
def old(empty: Database[Document]) -> Database[Document]:
    """A database that was filled before there were versions."""
    empty["quotes"].insert_one({"price": 1.0})
    return empty


def raised(name: str) -> migrations.Step:
    """A step that multiplies what a field of all quotes has; it notices if it is done twice."""

    def step(database: Database[Document]) -> None:
        database["quotes"].update_many({name: None}, [{"$set": {name: {"$add": ["$price", 1]}}}])
        database["done"].insert_one({"_id": name})

    return step


STEPS = {2: raised("two"), 3: raised("three")}


def test_a_new_database_has_today_s_version(empty: Database[Document]) -> None:
    assert version(empty) is None
    migrate(empty, STEPS)
    assert version(empty) == 3
    assert "done" not in empty.list_collection_names()


def test_an_old_one_is_taken_to_it_step_by_step(old: Database[Document]) -> None:
    for _ in range(2):
        migrate(old, STEPS)
        assert version(old) == 3
    assert [one["_id"] for one in old["done"].find()] == ["two", "three"]
    found = old["quotes"].find_one({}, {"_id": 0})
    assert found == {"price": 1.0, "two": 2.0, "three": 2.0}


def test_without_steps_it_has_the_first_version(old: Database[Document]) -> None:
    migrate(old)
    assert version(old) == newest()


def test_of_several_that_start_at_once_one_does_each_step(old: Database[Document]) -> None:
    with ThreadPoolExecutor(8) as threads:
        for one in [threads.submit(migrate, old, STEPS) for _ in range(8)]:
            one.result(30)  # a second try at a step would be a duplicate key
    assert version(old) == 3


def test_others_wait_for_a_step_that_takes_long(old: Database[Document]) -> None:
    begun, more = threading.Event(), threading.Event()

    def slow(_: Database[Document]) -> None:
        begun.set()
        assert more.wait(30)

    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(migrate, old, {2: slow})
        assert begun.wait(30)
        second = threads.submit(migrate, old, {2: raised("never")})
        assert version(old) == 1
        more.set()
        first.result(30)
        second.result(30)
    assert version(old) == 2
    assert "done" not in old.list_collection_names()


def test_a_step_that_fails_is_done_at_the_next_start(old: Database[Document]) -> None:
    def failing(_: Database[Document]) -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        migrate(old, {2: failing})
    assert version(old) == 1
    migrate(old, {2: raised("two")})
    assert version(old) == 2


def test_a_step_whose_process_died_is_begun_again(
    old: Database[Document], monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate(old, {})
    ago = [{"$set": {"holder": "dead", "until": {"$add": ["$$NOW", 300]}}}]
    old[SCHEMA].update_one({}, ago)
    migrate(old, STEPS)
    assert version(old) == 3


def test_a_long_step_s_lease_is_renewed(
    old: Database[Document], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "RENEW_SECONDS", 0.02)

    def step(database: Database[Document]) -> None:
        def until() -> object:
            found = database[SCHEMA].find_one()
            assert found is not None
            return found["until"]

        first = until()
        wait_until(lambda: until() != first, "a longer lease")

    migrate(old, {2: step})
    found = old[SCHEMA].find_one()
    assert found == {"_id": SCHEMA, "version": 2, "holder": None, "until": None}


def test_a_newer_database_is_left_alone(empty: Database[Document]) -> None:
    migrate(empty, STEPS)
    with pytest.raises(TooNew, match="the database koinx_schema has version 3, and this KoinX"):
        migrate(empty, {2: raised("two")})
    assert version(empty) == 3


def test_what_is_known_is_no_newer() -> None:
    check(3, "x", STEPS)
    with pytest.raises(TooNew):
        check(4, "x", STEPS)
