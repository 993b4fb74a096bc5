"""Which points of a history mend which slots."""

from datetime import UTC, datetime, timedelta

from market.gap_repair.matching import empty_slots, match_points
from market.schedule.slots import Schedule
from market.sources.coingecko import DAY, HOUR, STEPS, Point

QUARTERS = Schedule("*/15 * * * *")
QUARTER = timedelta(minutes=15)
START = datetime(2026, 11, 20, tzinfo=UTC)


def points(step: timedelta, count: int, late: float = 40.0) -> list[Point]:
    jitter = timedelta(seconds=late)
    return [Point(START + n * step + jitter, 100.0 + n, None, None) for n in range(count)]


def slots(count: int) -> list[datetime]:
    return [START + n * QUARTER for n in range(count)]


def test_slots_without_a_quote_are_empty() -> None:
    # Given quotes 20 s before their slots, and one after it
    times = [START + n * QUARTER - timedelta(seconds=20) for n in (0, 1, 4)]
    times.append(START + 2 * QUARTER + timedelta(seconds=5))
    # Then
    assert empty_slots(QUARTERS, START, START + HOUR * 2, times) == [
        START + n * QUARTER for n in (3, 5, 6, 7)
    ]


def test_nothing_to_look_at_is_nothing_empty() -> None:
    assert empty_slots(QUARTERS, START, START, []) == []
    assert empty_slots(QUARTERS, START + QUARTER / 3, START + QUARTER / 2, []) == []
    assert empty_slots(QUARTERS, START, START + timedelta(seconds=1), []) == [START]


def test_five_minute_points_mend_every_slot_exactly() -> None:
    mended = match_points(QUARTERS, slots(96), points(STEPS[0], 288))
    assert [one.slot for one in mended] == slots(96)
    assert {one.resolution for one in mended} == {300}
    assert [one.point.price for one in mended] == [100.0 + 3 * n for n in range(96)]


def test_hourly_points_mend_the_full_hours_alone() -> None:
    mended = match_points(QUARTERS, slots(96), points(HOUR, 24))
    assert [one.slot for one in mended] == [START + n * HOUR for n in range(24)]
    assert {one.resolution for one in mended} == {3600}


def test_daily_points_mend_midnights_alone() -> None:
    mended = match_points(QUARTERS, slots(96 * 4), points(DAY, 4, late=0))
    assert [one.slot for one in mended] == [START + n * DAY for n in range(4)]
    assert {one.resolution for one in mended} == {86_400}


def test_only_empty_slots_are_mended() -> None:
    mended = match_points(QUARTERS, slots(96)[3:5], points(STEPS[0], 288))
    assert [one.point.price for one in mended] == [109.0, 112.0]


def test_of_two_points_the_nearer_mends_a_slot() -> None:
    # Given a schedule of hours, and jitter that moves a point by minutes
    hours = Schedule("0 * * * *")
    grid = points(STEPS[0], 40, late=130)
    mended = match_points(hours, [START + HOUR], grid)
    assert [one.point.at - one.slot for one in mended] == [timedelta(seconds=130)]


def test_a_gap_in_the_chart_stays_a_gap() -> None:
    holed = [p for p in points(STEPS[0], 288) if not START + HOUR <= p.at < START + 2 * HOUR]
    mended = match_points(QUARTERS, slots(96), holed)
    missing = set(slots(96)) - {one.slot for one in mended}
    assert missing == {START + HOUR + n * QUARTER for n in range(4)}


def test_without_points_nothing_is_mended() -> None:
    assert match_points(QUARTERS, slots(4), []) == []
    assert match_points(QUARTERS, [], points(STEPS[0], 9)) == []
