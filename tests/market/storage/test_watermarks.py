"""Marks: moved on by who saw the newest one, set back by what comes late."""

from datetime import UTC, datetime, timedelta

import pytest
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from bench.harness.services import quote
from market.model.candle import DAY
from market.storage.database import MARKS, Document
from market.storage.watermarks import BATCH_SIZE, LATE_AFTER, Watermark, Watermarks

TENTH = datetime(2026, 11, 10, tzinfo=UTC)
NOW = TENTH + 8 * DAY


@pytest.fixture
def marks(database: Database[Document]) -> Watermarks:
    return Watermarks(database)


def test_it_moves_on_once_for_who_saw_the_same(marks: Watermarks) -> None:
    nothing = marks.of("bitcoin")
    assert nothing == Watermark("bitcoin")
    assert marks.set_rolled_up(nothing, TENTH)
    with pytest.raises(DuplicateKeyError):
        marks.set_rolled_up(nothing, TENTH + DAY)
    assert marks.set_rolled_up(marks.of("bitcoin"), TENTH + DAY)
    assert marks.all() == {"bitcoin": Watermark("bitcoin", until=TENTH + DAY)}
    assert marks.all(["ethereum"]) == {}


def test_a_late_quote_sets_it_back_to_its_day(marks: Watermarks) -> None:
    marks.set_rolled_up(Watermark("bitcoin"), TENTH)
    seen = marks.of("bitcoin")
    marks.invalidate_after([quote("bitcoin", 1.0, TENTH - timedelta(hours=30))], NOW)
    assert marks.of("bitcoin") == Watermark("bitcoin", until=TENTH - 2 * DAY, late=1)
    assert not marks.set_rolled_up(seen, TENTH + DAY)
    # One that is not rolled up yet may be just now
    seen = marks.of("bitcoin")
    marks.invalidate_after([quote("bitcoin", 1.0, TENTH + DAY)], NOW)
    assert marks.of("bitcoin") == Watermark("bitcoin", until=TENTH - 2 * DAY, late=2)
    assert not marks.set_rolled_up(seen, TENTH + 2 * DAY)
    assert marks.set_rolled_up(marks.of("bitcoin"), TENTH + 2 * DAY)


def test_of_many_late_quotes_each_coin_s_oldest_counts(marks: Watermarks) -> None:
    coins = [f"coin-{number}" for number in range(BATCH_SIZE + 1)]
    for coin in coins[::1000]:
        marks.set_rolled_up(Watermark(coin), TENTH)
    ages = (timedelta(hours=30), timedelta(hours=54), timedelta(hours=6))
    marks.invalidate_after([quote(coin, 1.0, TENTH - age) for coin in coins for age in ages], NOW)
    assert marks.all() == {
        coin: Watermark(coin, until=None if n % 1000 else TENTH - 3 * DAY, late=1)
        for n, coin in enumerate(coins)
    }


def test_it_is_not_set_back_to_where_originals_are_gone(
    marks: Watermarks, database: Database[Document]
) -> None:
    gone = TENTH - 3 * DAY
    database[MARKS].insert_one({"_id": "bitcoin", "until": TENTH, "kept_from": gone})
    marks.invalidate_after([quote("bitcoin", 1.0, TENTH - 9 * DAY)], NOW)
    assert marks.of("bitcoin") == Watermark("bitcoin", until=gone, kept_from=gone, late=1)


def test_a_late_quote_of_a_coin_without_a_mark_is_noted_too(marks: Watermarks) -> None:
    nothing = marks.of("bitcoin")
    marks.invalidate_after([quote("bitcoin", 1.0, TENTH)], NOW)
    with pytest.raises(DuplicateKeyError):
        marks.set_rolled_up(nothing, TENTH)
    assert marks.set_rolled_up(marks.of("bitcoin"), TENTH)


def test_a_quote_in_its_time_changes_nothing(
    marks: Watermarks, database: Database[Document]
) -> None:
    marks.invalidate_after([quote("bitcoin", 1.0, NOW - LATE_AFTER)], NOW)
    assert database[MARKS].count_documents({}) == 0
