"""A second source's list of coins: asked for once a day by all processes, and kept."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import DocumentTooLarge

from market.schedule.clock import server_time
from market.sources.coin_listing import COLLECTION, Listing
from market.sources.http import Deadline, SourceError
from market.storage.database import Document

LISTED = [{"id": "btc-bitcoin", "symbol": "BTC", "name": "Bitcoin \ud800"}]


class Asked:
    """A source that counts how often its list is asked for."""

    def __init__(self) -> None:
        self.times = 0
        self.fails = False

    def __call__(self, deadline: Deadline) -> list[dict[str, Any]]:
        self.times += 1
        if self.fails:
            raise SourceError("no list")
        return LISTED


@pytest.fixture
def ask() -> Asked:
    return Asked()


@pytest.fixture
def age(database: Database[Document]) -> Callable[[timedelta], None]:
    def aged(by: timedelta) -> None:
        now = server_time(database)
        database[COLLECTION].update_one({"_id": "second"}, {"$set": {"at": now - by}})

    database[COLLECTION].delete_many({})
    return aged


def test_one_list_serves_all_processes_for_a_day(
    database: Database[Document], ask: Asked, age: Callable[[timedelta], None]
) -> None:
    for _ in range(3):
        assert Listing(database, "second", ask)(Deadline(1)) == LISTED
    age(timedelta(hours=23))
    assert Listing(database, "second", ask)(Deadline(1)) == LISTED
    assert ask.times == 1
    age(timedelta(hours=25))
    for _ in range(3):
        assert Listing(database, "second", ask)(Deadline(1)) == LISTED
    assert ask.times == 2
    # Another source has another list
    Listing(database, "third", ask)(Deadline(1))
    assert ask.times == 3


def test_an_old_list_serves_for_a_week_while_there_is_no_other(
    database: Database[Document], ask: Asked, age: Callable[[timedelta], None]
) -> None:
    listing = Listing(database, "second", ask)
    listing(Deadline(1))
    ask.fails = True
    age(timedelta(days=6, hours=23))
    assert listing(Deadline(1)) == LISTED
    age(timedelta(days=7, hours=1))
    with pytest.raises(
        SourceError, match=r"^no list; no coin can be told from another without it$"
    ):
        listing(Deadline(1))
    ask.fails = False
    assert listing(Deadline(1)) == LISTED


def test_a_list_that_cannot_be_kept_serves_once(
    database: Database[Document], ask: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_large(*_: object, **__: object) -> None:
        raise DocumentTooLarge("16 MB")

    database[COLLECTION].delete_many({})
    listing = Listing(database, "second", ask)
    monkeypatch.setattr(listing._kept, "replace_one", too_large)
    for times in (1, 2):
        assert listing(Deadline(1)) == LISTED
        assert ask.times == times


def test_a_host_whose_clock_is_wrong_asks_no_more_often(
    mongodb: str, database: Database[Document], ask: Asked, age: Callable[[timedelta], None]
) -> None:
    with MongoClient[Document](mongodb, tz_aware=True) as client:
        Listing(client[database.name], "second", ask)(Deadline(1))
    [kept] = database[COLLECTION].find()
    assert abs(kept["at"] - server_time(database)) < timedelta(seconds=5)
