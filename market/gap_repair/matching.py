"""Matches a chart's points to the empty slots that they fill: pure functions over times."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from market.schedule.slots import Schedule, SlotGrid
from market.sources.coingecko import Point, step_of

MAX_DISTANCE = timedelta(minutes=5)  # hourly and daily points are up to some minutes late


@dataclass(frozen=True, slots=True)
class RepairedSlot:
    """A slot with the point that fills it; `resolution` is the chart's step in seconds."""

    slot: datetime
    point: Point
    resolution: int


def empty_slots(
    schedule: Schedule, start: datetime, end: datetime, times: Iterable[datetime]
) -> list[datetime]:
    """Returns the slots start <= slot < end that are nearest to none of `times`, oldest first."""
    times = list(times)
    grid = SlotGrid(schedule, min([start, *times]), max([end, *times]))
    filled = {grid.nearest(at) for at in times}
    first, last = grid.until(start), grid.until(end)
    slots = (grid.time(number) for number in range(first, last + 1) if number not in filled)
    return [slot for slot in slots if start <= slot < end]


def match_points(
    schedule: Schedule, empty: Sequence[datetime], points: list[Point]
) -> list[RepairedSlot]:
    """Returns the empty slots that a chart has a point for, oldest first; a point fills one slot.

    A point fills the slot it is nearest to, if it lies within 5 minutes of it and within half of
    the chart's step. So 5-minute points fill every slot of a quarter of an hour exactly, hourly
    ones fill those at the full hour, and nothing is made up in between.
    """
    if not empty or not points:
        return []
    step = step_of(points)
    reach = min(MAX_DISTANCE, step / 2)
    grid = SlotGrid(schedule, min(empty[0], points[0].at), max(empty[-1], points[-1].at))
    nearest: dict[datetime, Point] = {}
    for point in points:
        slot = grid.time(grid.nearest(point.at))
        distance = abs(point.at - slot)
        if distance <= reach and (slot not in nearest or distance < abs(nearest[slot].at - slot)):
            nearest[slot] = point
    resolution = round(step.total_seconds())
    return [RepairedSlot(slot, nearest[slot], resolution) for slot in empty if slot in nearest]
