"""Candles put together, and where their intervals begin."""

from datetime import UTC, datetime

from market.model.candle import (
    DAY,
    FOUR_HOURS,
    HOUR,
    QUARTER,
    ceil_to,
    floor_to,
    merge,
    merge_by_start,
)
from tests.harness.candles import candle

NINE = datetime(2026, 11, 2, 9, tzinfo=UTC)


def test_open_is_the_earliest_and_close_the_latest_in_whatever_order() -> None:
    early, late = candle(NINE, 5, 20, 3.0, 1.0), candle(NINE, 10, 40, 9.0, 4.0, repaired=2)
    for parts in ([early, late], [late, early]):
        one = merge(NINE, parts)
        assert (one.open, one.high, one.low, one.close) == (3.0, 9.0, 1.0, 4.0)
        assert (one.count, one.repaired, one.volume_24h, one.source) == (4, 2, 40.0, "from 4.0")
        assert (one.first, one.as_of) == (early.first, late.as_of)


def test_hours_make_longer_candles_where_there_are_any() -> None:
    hours = [candle(NINE + n * HOUR, 1, 50, n + 1.0) for n in (0, 1, 9)]
    found = merge_by_start(hours, FOUR_HOURS)
    assert [(one.start.hour, one.open, one.close, one.count) for one in found] == [
        (8, 1.0, 2.0, 2),
        (16, 10.0, 10.0, 1),
    ]


def test_intervals_are_counted_from_1970_in_utc() -> None:
    moment = datetime(2026, 11, 2, 9, 59, 59, 999000, tzinfo=UTC)
    assert floor_to(moment, QUARTER) == datetime(2026, 11, 2, 9, 45, tzinfo=UTC)
    assert floor_to(moment, FOUR_HOURS) == datetime(2026, 11, 2, 8, tzinfo=UTC)
    assert floor_to(moment, DAY) == datetime(2026, 11, 2, tzinfo=UTC)
    assert ceil_to(moment, DAY) == datetime(2026, 11, 3, tzinfo=UTC)
    assert ceil_to(NINE, HOUR) == NINE
