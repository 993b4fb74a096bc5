"""Quotes in any number, page by page, from MongoDB."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from pymongo.database import Database

from market.storage import quote_stream as market_stream
from market.storage.database import QUOTES, REPAIRED, Document
from market.storage.quote_history import Record
from market.storage.quote_stream import Stream
from tests.harness.export_data import QUARTER, START, insert, records, repaired

PAGE = 4


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(market_stream, "PAGE", PAGE)


@pytest.mark.parametrize("count", [0, 1, PAGE - 1, PAGE, PAGE + 1, 3 * PAGE])
def test_all_records_come_once_newest_first(database: Database[Document], count: int) -> None:
    stored = list(records("bitcoin", count))
    insert(database, [*stored, *records("bitcoi", 2), *records("bitcoin-cash", 9)])
    assert list(Stream(database).records("bitcoin")) == stored


def test_a_stretch_has_its_start_and_not_its_end(database: Database[Document]) -> None:
    stored = list(records("bitcoin", 20))
    insert(database, stored)
    found = Stream(database).records("bitcoin", start=stored[-3].at, end=stored[2].at)
    assert list(found) == stored[3:-2]


@pytest.mark.parametrize("every", [1, 2, 3])
def test_repaired_ones_come_if_asked_for_and_the_recorded_stands(
    database: Database[Document], every: int
) -> None:
    # Given slots in which a quote was recorded, or repaired, or both
    both = list(records("bitcoin", 30))
    insert(database, both[::every])
    insert(database, (repaired(record, price=1.0) for record in both), into=REPAIRED)
    # Then each slot is there once
    expected = list(map(repaired, both))
    expected = [record._replace(price=1.0) for record in expected]
    expected[::every] = both[::every]
    assert list(Stream(database, repaired=True).records("bitcoin")) == expected
    assert list(Stream(database).records("bitcoin")) == both[::every]


def test_coins_are_those_that_have_quotes_by_id(database: Database[Document]) -> None:
    stream = Stream(database, repaired=True)
    assert list(stream.coins()) == []
    ids = ["bitcoin", "-6", "ünï", "bitcoin-cash", "Z", "a b", "bit"]
    insert(database, (record for coin in ids for record in records(coin, 3)))
    insert(database, map(repaired, records("c", 2)), into=REPAIRED)
    assert list(stream.coins()) == sorted([*ids, "c"])
    assert list(Stream(database).coins()) == sorted(ids)


def test_reads_look_at_nothing_that_they_do_not_give(
    database: Database[Document], operations: Callable[[], list[Document]]
) -> None:
    insert(database, (record for coin in "abcde" for record in records(coin, 3 * PAGE)))
    stream = Stream(database)
    assert len(list(stream.records("c", start=START + QUARTER))) == 3 * PAGE - 1
    assert len(list(stream.coins())) == 5
    found = operations()
    assert len(found) == 3 + 6
    for one in found:
        assert one["docsExamined"] <= one["nreturned"] + 2, one  # a neighbour at each end
        assert not one.get("hasSortStage"), one


def test_a_page_is_a_read_of_its_own(
    database: Database[Document], operations: Callable[[], list[Document]]
) -> None:
    insert(database, records("bitcoin", 3 * PAGE))
    found: Iterator[Record] = Stream(database).records("bitcoin")
    next(found)
    assert [one["op"] for one in operations()] == ["query"]
    assert operations()[0]["cursorExhausted"]
    assert len(list(found)) == 3 * PAGE - 1
    assert {one["op"] for one in operations()} == {"query"}


@pytest.fixture
def operations(database: Database[Document]) -> Iterator[Callable[[], list[Any]]]:
    """What MongoDB did on quotes since the test began, by its profiler."""
    database.command("profile", 2)
    where = {"ns": f"{database.name}.{QUOTES}", "op": {"$in": ["query", "getmore"]}}
    yield lambda: list(database["system.profile"].find(where))
    database.command("profile", 0)
    database.drop_collection("system.profile")


def test_what_is_stored_meanwhile_disturbs_no_page(database: Database[Document]) -> None:
    stored = list(records("bitcoin", 3 * PAGE))
    insert(database, stored)
    found = Stream(database).records("bitcoin")
    begun = [next(found)]
    newer = [stored[0]._replace(at=stored[0].at + timedelta(hours=1))]
    insert(database, newer)
    assert begun + list(found) == stored
