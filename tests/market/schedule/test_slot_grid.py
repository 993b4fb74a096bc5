"""Slots as numbers, compared with the schedule's own."""

from datetime import UTC, datetime, timedelta

import pytest

from market.schedule.slot_grid import SlotGrid
from market.schedule.slots import Schedule

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
