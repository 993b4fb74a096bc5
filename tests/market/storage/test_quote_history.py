"""A coin's records in time, in MongoDB: their order, their bounds, and what is known by when."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from pymongo.database import Database

from bench.harness.services import keep, quote
from market.model.quotes import CLOCK_SKEW
from market.storage import quote_history
from market.storage.database import QUOTES, REPAIRED, Document
from market.storage.quote_history import QuoteHistory, QuoteStream, Record, key_range
from market.storage.quote_store import QuoteStore
from tests.harness.export_data import QUARTER, START, insert, records, repaired
from tests.harness.mongodb_profiler import profiled


@pytest.fixture
def history(database: Database[Document], store: QuoteStore) -> QuoteHistory:
    """Eight quotes of bitcoin and ethereum, recorded 10 s after their time; bitcoin's third slot
    from the end is there from history alone, and the last in both."""
    for number in range(8):
        at = START + number * QUARTER
        pair = [quote("ethereum", 1.0, at), quote("bitcoin-cash", 2.0, at)]
        if number != 5:
            pair.append(quote("bitcoin", 100.0 + number, at))
        keep(store, *pair, recorded_at=at + timedelta(seconds=10))
    for number, price in ((5, 105.5), (7, 999.0)):
        database[REPAIRED].insert_one(
            {
                "_id": {"coin": "bitcoin", "at": START + number * QUARTER},
                "price": price,
                "market_cap": None,
                "change_24h": None,
                "volume_24h": None,
                "source": "simulator",
                "recorded_at": START + timedelta(days=1),
                "resolution": 300,
            }
        )
    return QuoteHistory(database)


def test_the_newest_come_first_and_of_one_coin(history: QuoteHistory) -> None:
    found = history.records("bitcoin", limit=3)
    assert [one.price for one in found] == [107.0, 106.0, 104.0]
    assert {one.coin for one in found} == {"bitcoin"}
    assert found[0].resolution is None
    assert found[0].at == START + 7 * QUARTER
    assert found[0].recorded_at == found[0].at + timedelta(seconds=10)


def test_a_stretch_has_its_start_and_not_its_end(history: QuoteHistory) -> None:
    found = history.records("bitcoin", start=START + QUARTER, end=START + 4 * QUARTER, limit=100)
    assert [one.price for one in found] == [103.0, 102.0, 101.0]


def test_repaired_records_come_only_if_asked_for_and_the_recorded_stands(
    history: QuoteHistory,
) -> None:
    found = history.records("bitcoin", limit=4, repaired=True)
    assert [one.price for one in found] == [107.0, 106.0, 105.5, 104.0]
    assert [one.resolution for one in found] == [None, None, 300, None]


def test_what_was_not_yet_known_is_left_out(history: QuoteHistory) -> None:
    as_of = START + 6 * QUARTER + timedelta(seconds=10)
    found = history.records("bitcoin", limit=2, repaired=True, as_of=as_of)
    assert [one.price for one in found] == [106.0, 104.0]


def test_a_quote_ahead_of_its_recording_is_known_by_then(
    history: QuoteHistory, store: QuoteStore, database: Database[Document]
) -> None:
    # A source's clock may be ahead by as much as CLOCK_SKEW.
    moment = START + timedelta(days=2)
    keep(store, quote("bitcoin", 200.0, moment + CLOCK_SKEW), recorded_at=moment)
    assert history.records("bitcoin", limit=1, as_of=moment)[0].price == 200.0
    before = moment - timedelta(milliseconds=1)
    assert history.records("bitcoin", limit=1, as_of=before)[0].price == 107.0


def test_a_read_as_of_a_time_does_not_scan_what_is_newer(
    history: QuoteHistory, database: Database[Document]
) -> None:
    database.command("profile", 2)
    try:
        found = history.records("bitcoin", limit=1, as_of=START)
    finally:
        database.command("profile", 0)
    assert found == []
    (read,) = database["system.profile"].find({"op": "query", "ns": f"{database.name}.quotes"})
    assert read["docsExamined"] <= 2


def test_a_coin_without_quotes_has_none(history: QuoteHistory) -> None:
    assert history.records("dogecoin", limit=5, repaired=True) == []


def test_a_read_scans_one_coins_stretch(
    history: QuoteHistory, database: Database[Document]
) -> None:
    explained = database.command(
        "explain",
        {
            "find": "quotes",
            "filter": {"_id": key_range("bitcoin", START + QUARTER, None)},
            "sort": {"_id": -1},
            "limit": 3,
        },
        verbosity="executionStats",
    )
    assert explained["executionStats"]["totalDocsExamined"] <= 4
    assert "SORT" not in str(explained["queryPlanner"]["winningPlan"])


def test_repaired_records_are_read_no_further_back_than_the_recorded(
    history: QuoteHistory, store: QuoteStore, database: Database[Document]
) -> None:
    old = [START - number * QUARTER for number in range(1, 200)]
    keep(store, *(quote("bitcoin", 1.0, at) for at in old))
    database[REPAIRED].insert_many(
        [
            {
                "_id": {"coin": "bitcoin", "at": at + QUARTER / 2},
                "price": 2.0,
                "market_cap": None,
                "change_24h": None,
                "volume_24h": None,
                "source": "simulator",
                "recorded_at": START + timedelta(days=1),
                "resolution": 300,
            }
            for at in old
        ]
    )

    # What was not yet known must not be searched for through all that was repaired since.
    done = profiled(
        database,
        lambda: history.records("bitcoin", limit=5, repaired=True, as_of=START + 8 * QUARTER),
        REPAIRED,
    )

    assert [one["docsExamined"] for one in done] == [pytest.approx(2, abs=1)]


PAGE_SIZE = 4


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quote_history, "PAGE_SIZE", PAGE_SIZE)


@pytest.mark.parametrize("count", [0, 1, PAGE_SIZE - 1, PAGE_SIZE, PAGE_SIZE + 1, 3 * PAGE_SIZE])
def test_all_records_come_once_newest_first(database: Database[Document], count: int) -> None:
    stored = list(records("bitcoin", count))
    insert(database, [*stored, *records("bitcoi", 2), *records("bitcoin-cash", 9)])
    assert list(QuoteStream(database).records("bitcoin")) == stored


def test_a_stream_includes_its_start_but_not_its_end(database: Database[Document]) -> None:
    stored = list(records("bitcoin", 20))
    insert(database, stored)
    found = QuoteStream(database).records("bitcoin", start=stored[-3].at, end=stored[2].at)
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
    assert list(QuoteStream(database, repaired=True).records("bitcoin")) == expected
    assert list(QuoteStream(database).records("bitcoin")) == both[::every]


def test_coins_are_those_that_have_quotes_by_id(database: Database[Document]) -> None:
    stream = QuoteStream(database, repaired=True)
    assert list(stream.coins()) == []
    ids = ["bitcoin", "-6", "ünï", "bitcoin-cash", "Z", "a b", "bit"]
    insert(database, (record for coin in ids for record in records(coin, 3)))
    insert(database, map(repaired, records("c", 2)), into=REPAIRED)
    assert list(stream.coins()) == sorted([*ids, "c"])
    assert list(QuoteStream(database).coins()) == sorted(ids)


def test_reads_look_at_nothing_that_they_do_not_give(
    database: Database[Document], operations: Callable[[], list[Document]]
) -> None:
    insert(database, (record for coin in "abcde" for record in records(coin, 3 * PAGE_SIZE)))
    stream = QuoteStream(database)
    assert len(list(stream.records("c", start=START + QUARTER))) == 3 * PAGE_SIZE - 1
    assert len(list(stream.coins())) == 5
    found = operations()
    assert len(found) == 3 + 6
    for one in found:
        assert one["docsExamined"] <= one["nreturned"] + 2, one  # a neighbour at each end
        assert not one.get("hasSortStage"), one


def test_a_page_is_a_read_of_its_own(
    database: Database[Document], operations: Callable[[], list[Document]]
) -> None:
    insert(database, records("bitcoin", 3 * PAGE_SIZE))
    found: Iterator[Record] = QuoteStream(database).records("bitcoin")
    next(found)
    assert [one["op"] for one in operations()] == ["query"]
    assert operations()[0]["cursorExhausted"]
    assert len(list(found)) == 3 * PAGE_SIZE - 1
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
    stored = list(records("bitcoin", 3 * PAGE_SIZE))
    insert(database, stored)
    found = QuoteStream(database).records("bitcoin")
    begun = [next(found)]
    newer = [stored[0]._replace(at=stored[0].at + timedelta(hours=1))]
    insert(database, newer)
    assert begun + list(found) == stored
