"""A coin's records in time, in MongoDB: their order, their bounds, and what is known by when."""

from datetime import UTC, datetime, timedelta

import pytest
from pymongo.database import Database

from bench.harness.services import keep, quote
from market.model.quotes import CLOCK_SKEW
from market.storage.database import REPAIRED, Document
from market.storage.quote_history import History, stretch
from market.storage.quote_store import Store
from tests.harness.mongodb_profiler import profiled

START = datetime(2026, 11, 20, tzinfo=UTC)
QUARTER = timedelta(minutes=15)


@pytest.fixture
def history(database: Database[Document], store: Store) -> History:
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
    return History(database)


def test_the_newest_come_first_and_of_one_coin(history: History) -> None:
    found = history.records("bitcoin", limit=3)
    assert [one.price for one in found] == [107.0, 106.0, 104.0]
    assert {one.coin for one in found} == {"bitcoin"}
    assert found[0].resolution is None
    assert found[0].at == START + 7 * QUARTER
    assert found[0].recorded_at == found[0].at + timedelta(seconds=10)


def test_a_stretch_has_its_start_and_not_its_end(history: History) -> None:
    found = history.records("bitcoin", start=START + QUARTER, end=START + 4 * QUARTER, limit=100)
    assert [one.price for one in found] == [103.0, 102.0, 101.0]


def test_repaired_records_come_only_if_asked_for_and_the_recorded_stands(history: History) -> None:
    found = history.records("bitcoin", limit=4, repaired=True)
    assert [one.price for one in found] == [107.0, 106.0, 105.5, 104.0]
    assert [one.resolution for one in found] == [None, None, 300, None]


def test_what_was_not_yet_known_is_left_out(history: History) -> None:
    as_of = START + 6 * QUARTER + timedelta(seconds=10)
    found = history.records("bitcoin", limit=2, repaired=True, as_of=as_of)
    assert [one.price for one in found] == [106.0, 104.0]


def test_a_quote_ahead_of_its_recording_is_known_by_then(
    history: History, store: Store, database: Database[Document]
) -> None:
    # A source's clock may be ahead by as much as CLOCK_SKEW.
    moment = START + timedelta(days=2)
    keep(store, quote("bitcoin", 200.0, moment + CLOCK_SKEW), recorded_at=moment)
    assert history.records("bitcoin", limit=1, as_of=moment)[0].price == 200.0
    before = moment - timedelta(milliseconds=1)
    assert history.records("bitcoin", limit=1, as_of=before)[0].price == 107.0


def test_a_read_as_of_a_time_does_not_scan_what_is_newer(
    history: History, database: Database[Document]
) -> None:
    database.command("profile", 2)
    try:
        found = history.records("bitcoin", limit=1, as_of=START)
    finally:
        database.command("profile", 0)
    assert found == []
    (read,) = database["system.profile"].find({"op": "query", "ns": f"{database.name}.quotes"})
    assert read["docsExamined"] <= 2


def test_a_coin_without_quotes_has_none(history: History) -> None:
    assert history.records("dogecoin", limit=5, repaired=True) == []


def test_a_read_scans_one_coins_stretch(history: History, database: Database[Document]) -> None:
    explained = database.command(
        "explain",
        {
            "find": "quotes",
            "filter": {"_id": stretch("bitcoin", START + QUARTER, None)},
            "sort": {"_id": -1},
            "limit": 3,
        },
        verbosity="executionStats",
    )
    assert explained["executionStats"]["totalDocsExamined"] <= 4
    assert "SORT" not in str(explained["queryPlanner"]["winningPlan"])


def test_repaired_records_are_read_no_further_back_than_the_recorded(
    history: History, store: Store, database: Database[Document]
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
