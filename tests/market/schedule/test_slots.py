"""Slots of a schedule: as UTC times, as ids, and as numbers."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from market.schedule.slots import Schedule, SlotGrid

QUARTERS = "*/15 * * * *"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "now", "current", "following"),
    [
        (QUARTERS, "2026-11-22T08:37:12", "2026-11-22T08:30", "2026-11-22T08:45"),
        # A slot begins with its very first instant.
        (QUARTERS, "2026-11-22T08:30:00", "2026-11-22T08:30", "2026-11-22T08:45"),
        (QUARTERS, "2026-11-22T08:30:00.000001", "2026-11-22T08:30", "2026-11-22T08:45"),
        (QUARTERS, "2026-11-22T08:29:59.999999", "2026-11-22T08:15", "2026-11-22T08:30"),
        (QUARTERS, "2027-01-01T00:00:00", "2027-01-01T00:00", "2027-01-01T00:15"),
        # The nights in which clocks elsewhere change.
        (QUARTERS, "2026-03-29T01:59:59", "2026-03-29T01:45", "2026-03-29T02:00"),
        (QUARTERS, "2026-10-25T01:00:00", "2026-10-25T01:00", "2026-10-25T01:15"),
        ("*/10 * * * * *", "2026-11-22T08:30:09.999", "2026-11-22T08:30", "2026-11-22T08:30:10"),
        ("* * * * * *", "2026-11-22T08:30:09", "2026-11-22T08:30:09", "2026-11-22T08:30:10"),
        ("5 0 * * * *", "2026-11-22T08:00:04", "2026-11-22T07:00:05", "2026-11-22T08:00:05"),
        ("0 0 1 * *", "2026-11-22T08:30", "2026-11-01T00:00", "2026-12-01T00:00"),
        ("0 12 31 * *", "2026-11-22T08:30", "2026-10-31T12:00", "2026-12-31T12:00"),
        ("0 6 * * MON", "2026-11-22T08:30", "2026-11-16T06:00", "2026-11-23T06:00"),
        ("0 0 29 2 *", "2026-11-22T08:30", "2024-02-29T00:00", "2028-02-29T00:00"),
    ],
)
def test_the_slot_of_a_moment_and_the_next(
    expression: str, now: str, current: str, following: str
) -> None:
    schedule = Schedule(expression)
    assert schedule.current(at(now)) == at(current)
    assert schedule.following(at(now)) == at(following)
    assert schedule.interval(at(now)) == at(following) - at(current)
    assert schedule.current(at(now)).utcoffset() == timedelta(0)


def test_slots_between_leave_out_both_ends() -> None:
    schedule = Schedule(QUARTERS)
    # Given two slots with two between
    between = schedule.between(at("2026-11-22T08:00"), at("2026-11-22T08:45"))
    # Then
    assert list(between) == [at("2026-11-22T08:15"), at("2026-11-22T08:30")]
    assert not list(schedule.between(at("2026-11-22T08:00"), at("2026-11-22T08:15")))
    assert not list(schedule.between(at("2026-11-22T08:15"), at("2026-11-22T08:00")))


def test_a_day_on_which_clocks_change_has_as_many_slots_as_any() -> None:
    schedule = Schedule(QUARTERS)
    for day in ("2026-03-29", "2026-10-25", "2026-11-22"):
        start = at(day)
        slots = list(schedule.between(start - timedelta(seconds=1), start + timedelta(days=1)))
        assert len(slots) == 96
        assert len({schedule.name(slot) for slot in slots}) == 96


@pytest.mark.parametrize(
    ("expression", "slot", "name"),
    [
        (QUARTERS, "2026-11-22T08:30", "2026-11-22T08:30Z"),
        ("*/10 * * * * *", "2026-11-22T08:30:10", "2026-11-22T08:30:10Z"),
    ],
)
def test_an_id_names_its_slot(expression: str, slot: str, name: str) -> None:
    schedule = Schedule(expression)
    assert schedule.name(at(slot)) == name
    assert schedule.parse(name) == at(slot)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "call-8f3b",
        "2026-11-22T08:31Z",
        "2026-11-22T08:30",
        "2026-11-22T08:30z",
        "2026-11-22T8:30Z",
        "2026-11-22T08:30:00Z",
        "2026-11-22 08:30Z",
        " 2026-11-22T08:30Z",
        "2026-11-22T08:30Z\n",
        "2026-02-30T08:30Z",
        "2026-11-22T24:00Z",
        "٢٠٢٦-11-22T08:30Z",
        "0001-01-01T00:00Z",
        "2026-11-22T08:30+00:00",
    ],
)
def test_an_id_that_only_looks_like_a_slot_is_none(name: str) -> None:
    assert Schedule(QUARTERS).parse(name) is None


@pytest.mark.parametrize("name", ["2026-11-22T08:30Z", "9999-12-31T23:59:59Z"])
def test_an_id_of_another_schedule_or_the_end_of_time_is_none(name: str) -> None:
    assert Schedule("* * * * * *").parse(name) is None


def test_a_moment_of_another_zone_lies_in_the_same_slot() -> None:
    india = timezone(timedelta(hours=5, minutes=30))
    moment = at("2026-11-22T08:37").astimezone(india)
    schedule = Schedule(QUARTERS)
    assert schedule.current(moment) == at("2026-11-22T08:30")
    assert schedule.following(moment) == at("2026-11-22T08:45")


def test_a_slot_so_many_before_another() -> None:
    quarters = Schedule("*/15 * * * *")
    slot = datetime(2026, 11, 22, 0, 15, tzinfo=UTC)
    assert quarters.earlier(slot, 0) == slot
    assert quarters.earlier(slot, 3) == datetime(2026, 11, 21, 23, 30, tzinfo=UTC)


START = datetime(2026, 2, 26, 22, 53, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "days", "step"),
    [
        ("*/15 * * * *", 3, timedelta(minutes=7, seconds=11)),
        ("* * * * *", 1, timedelta(minutes=3, seconds=29)),
        ("7,22 */5 * * *", 4, timedelta(minutes=41)),
        ("0 0 * * *", 9, timedelta(hours=5)),
        ("*/20 0-59/30 8-10 * * *", 2, timedelta(minutes=13)),
        ("30 9,16 * * 1-5", 14, timedelta(hours=3)),
        ("30 9,16 * * mon-fri", 14, timedelta(hours=3)),
        ("0 12 1,15 * 0", 60, timedelta(hours=19)),
        ("0 6 29 2 *", 900, timedelta(days=9)),
    ],
)
def test_every_time_lies_where_the_schedule_says(
    expression: str, days: int, step: timedelta
) -> None:
    schedule = Schedule(expression)
    end = START + timedelta(days=days)
    # Once from behind a day's last slot, once from before its first.
    start = START if days % 2 else START.replace(hour=5)
    grid = SlotGrid(schedule, start, end)
    moment = start
    while moment <= end:
        slot, following = schedule.current(moment), schedule.following(schedule.current(moment))
        number = grid.until(moment)
        assert grid.time(number) == slot
        assert grid.time(number + 1) == following
        nearest = slot if moment - slot <= following - moment else following
        assert grid.time(grid.nearest(moment)) == nearest
        moment += step


@pytest.mark.parametrize("expression", ["*/15 * * * *", "0 9 * * 1-5"])
def test_numbers_count_the_slots_between(expression: str) -> None:
    schedule = Schedule(expression)
    end = START + timedelta(days=10)
    slots = list(schedule.between(START, end))
    grid = SlotGrid(schedule, START, end)
    assert grid.until(end) - grid.until(START) == len(slots)
    assert [grid.time(grid.until(slot)) for slot in slots] == slots


def test_a_slot_itself_is_its_own_and_the_middle_belongs_to_the_earlier() -> None:
    slot = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)
    grid = SlotGrid(Schedule("*/15 * * * *"), slot, slot + timedelta(hours=1))
    middle = slot + timedelta(minutes=7, seconds=30)
    for moment in (slot, slot - timedelta(minutes=7), middle):
        assert grid.time(grid.nearest(moment)) == slot
    behind = middle + timedelta(milliseconds=1)
    assert grid.time(grid.nearest(behind)) == slot + timedelta(minutes=15)


def test_the_ends_may_be_the_same_time() -> None:
    slot = datetime(2026, 11, 22, tzinfo=UTC)
    grid = SlotGrid(Schedule("*/15 * * * *"), slot, slot)
    before = slot - timedelta(milliseconds=1)
    assert grid.time(grid.until(slot)) == slot
    assert grid.until(slot) - grid.until(before) == 1
