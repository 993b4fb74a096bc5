"""Kept candles come back as they were made, in documents of a day."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from pymongo.database import Database

from market.model.candle import DAY, FOUR_HOURS, HOUR, Candle, merge_by_start
from market.rollups.store import RollupStore
from market.storage.database import DAILY, HOURLY, Document
from tests.harness.candles import candle

DAY_ONE = datetime(2026, 11, 2, tzinfo=UTC)


@pytest.fixture
def hours(database: Database[Document]) -> list[Candle]:
    """Hours of three days, the second of which has few, from two sources."""
    numbers = [0, 1, 5, 23, 30, 48, 49, 71]
    made = [candle(DAY_ONE + n * HOUR, 1, 50, 0.1 + n, n / 1000, 3.3) for n in numbers]
    made[2] = replace(made[2], source="another", volume_24h=None)
    RollupStore(database).keep(made, merge_by_start(made, DAY), repaired=False)
    return made


def test_they_come_back(database: Database[Document], hours: list[Candle]) -> None:
    rollups, end = RollupStore(database), DAY_ONE + 9 * DAY
    assert rollups.candles("bitcoin", HOUR, DAY_ONE, end, repaired=False) == hours
    for interval in (FOUR_HOURS, DAY):
        found = rollups.candles("bitcoin", interval, DAY_ONE, end, repaired=False)
        assert found == merge_by_start(hours, interval)
    some = rollups.candles("bitcoin", HOUR, DAY_ONE + HOUR, DAY_ONE + 30 * HOUR, repaired=False)
    assert some == hours[1:4]
    assert rollups.candles("bitcoi", HOUR, DAY_ONE, end, repaired=False) == []


def test_a_day_is_a_document(database: Database[Document], hours: list[Candle]) -> None:
    for kind in (HOURLY, DAILY):
        assert [one["_id"]["at"] for one in database[kind].find().sort("_id", 1)] == [
            DAY_ONE + n * DAY for n in range(3)
        ]
        assert "clusteredIndex" in database[kind].options()
    second = database[HOURLY].find_one({"_id": {"coin": "bitcoin", "at": DAY_ONE + DAY}})
    assert second == {
        "_id": {"coin": "bitcoin", "at": DAY_ONE + DAY},
        "hours": "6",
        "open_close": "30.1 -26.8",
        "high": "0",
        "low": "3.27",
        "volume_24h": "33",
        "count": "3",
        "first": "60",
        "last": "3000000",
        "sources": ["from 3.3"],
    }


def test_the_newest_is_found(database: Database[Document], hours: list[Candle]) -> None:
    def newest(start: timedelta | None, end: timedelta | None) -> datetime | None:
        bounds = [None if one is None else DAY_ONE + one for one in (start, end)]
        return RollupStore(database).newest("bitcoin", *bounds, repaired=False)

    assert newest(None, None) == hours[-1].start
    assert newest(None, 71 * HOUR) == DAY_ONE + 49 * HOUR
    assert newest(None, 48 * HOUR) == DAY_ONE + 30 * HOUR
    assert newest(None, 29 * HOUR) == DAY_ONE + 23 * HOUR
    assert newest(2 * HOUR, 5 * HOUR) is None
    assert newest(6 * HOUR, 30 * HOUR) == DAY_ONE + 23 * HOUR


def test_with_repaired_quotes_theirs_stand(database: Database[Document]) -> None:
    rollups, end = RollupStore(database), DAY_ONE + DAY
    both = [candle(DAY_ONE + 5 * HOUR, 1, 50, 9.0, 8.0, repaired=1)]
    recorded = [candle(DAY_ONE + n * HOUR, 1, 50, 1.0 + n) for n in (4, 5)]
    rollups.keep(recorded, merge_by_start(recorded, DAY), repaired=False)
    rollups.keep(both, merge_by_start([recorded[0], *both], DAY), repaired=True)
    assert rollups.candles("bitcoin", HOUR, DAY_ONE, end, repaired=False) == recorded
    assert rollups.candles("bitcoin", HOUR, DAY_ONE, end, repaired=True) == [recorded[0], *both]
    [day] = rollups.candles("bitcoin", DAY, DAY_ONE, end, repaired=True)
    assert (day.repaired, day.high, day.close) == (1, 9.0, 8.0)
