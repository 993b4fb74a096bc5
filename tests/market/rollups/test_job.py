"""Rollups and retention of all coins, step by step."""

from datetime import datetime, timedelta

import pytest
from pymongo.database import Database

from market.model.candle import DAY, HOUR, floor_to
from market.rollups.job import RollupJob
from market.storage.database import HOURLY, LATEST, QUOTES, Document
from market.storage.quote_history import key_range
from market.storage.watermarks import Watermarks
from tests.harness.coin_history_data import COINS, END, START, asked, document, fill, known_until


def steps(
    database: Database[Document], rollup_after: int, retention: int, now: datetime = END
) -> list[str]:
    return list(RollupJob(database).steps(now, rollup_after=rollup_after, retention=retention))


def test_every_coin_is_rolled_up_and_then_deleted(database: Database[Document]) -> None:
    fill(database)
    before = asked(database)
    assert steps(database, 7, 0) == ["rolled up"] * 2
    assert steps(database, 7, 0) == []
    done = steps(database, 7, 12)
    assert set(done) == {"deleted"}
    assert steps(database, 7, 12) == []
    for coin in COINS:
        mark = Watermarks(database).of(coin)
        assert mark.until == floor_to(END - 7 * DAY, DAY)
        assert mark.kept_from is not None
        assert database[QUOTES].count_documents({"_id": key_range(coin, None, mark.kept_from)}) == 0
    assert asked(database) == before


def test_it_goes_on_where_it_was_broken_off(database: Database[Document]) -> None:
    fill(database)
    before = asked(database)
    broken_off = RollupJob(database).steps(END, rollup_after=7, retention=3)
    assert [next(broken_off) for _ in range(2)] == ["rolled up", "deleted"]
    broken_off.close()
    assert asked(database) == before
    assert len(steps(database, 7, 3)) == 4
    assert asked(database) == before


def test_both_can_be_off(database: Database[Document]) -> None:
    fill(database)
    assert steps(database, 0, 0) == []
    assert database[HOURLY].count_documents({}) == 0
    assert set(steps(database, 0, 12)) == {"deleted"}


@pytest.mark.parametrize("ahead", [timedelta(hours=12), 30 * DAY, 4000 * DAY])
def test_ages_count_from_the_newest_quote_where_the_clock_is_ahead(
    database: Database[Document], ahead: timedelta
) -> None:
    fill(database)
    steps(database, 7, 12, END + ahead)
    kept = {coin: Watermarks(database).of(coin) for coin in COINS}
    assert all(one.until == floor_to(END - 7 * DAY, DAY) for one in kept.values())
    assert all(one.exact_from == END - 12 * DAY for one in kept.values())
    assert steps(database, 7, 12) == []


def test_a_coin_whose_price_stands_still_ages_with_the_others(
    database: Database[Document],
) -> None:
    # Given a coin whose newest quote is older than the retention
    fill(database)
    last = floor_to(START, DAY)
    frozen = [document("frozen", last - n * HOUR, 1.0) for n in range(1, 241)]
    database[QUOTES].insert_many(frozen)
    known_until(database, **dict.fromkeys(COINS, END), frozen=last - HOUR)
    # When
    steps(database, 7, 12, END + 30 * DAY)
    # Then it keeps what 100 records need, and no more
    assert 100 <= database[QUOTES].count_documents({"_id": key_range("frozen", None, None)}) < 124


def test_before_the_first_quote_nothing_is_old(database: Database[Document]) -> None:
    fill(database)
    database[LATEST].delete_many({})
    assert steps(database, 7, 12) == []
