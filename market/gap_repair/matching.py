"""Which points of a history mend which slots: pure functions over times."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from market.schedule.slot_grid import SlotGrid
from market.schedule.slots import Schedule
from market.sources.coingecko_charts import Point, step_of

NEAR = timedelta(minutes=5)  # hourly and daily points come up to some minutes late


@dataclass(frozen=True, slots=True)
class Mended:
    """A slot with the point that mends it; `resolution` is the seconds between its neighbours."""

    slot: datetime
    point: Point
    resolution: int


def empty_slots(
    schedule: Schedule, start: datetime, end: datetime, times: Iterable[datetime]
) -> list[datetime]:
    """The slots with start <= slot < end that none of the `times` is nearest to, oldest first."""
    times = list(times)
    grid = SlotGrid(schedule, min([start, *times]), max([end, *times]))
    filled = {grid.nearest(at) for at in times}
    first, last = grid.until(start), grid.until(end)
    slots = ((number, grid.time(number)) for number in range(first, last + 1))
    return [slot for number, slot in slots if number not in filled and start <= slot < end]


def mend(schedule: Schedule, empty: Sequence[datetime], points: list[Point]) -> list[Mended]:
    """The empty slots that a chart has a point for, oldest first; each point mends one slot.

    A point mends the slot that it is nearest to, if it lies within 5 minutes of it or within half
    of the chart's step: 5-minute points mend every slot of a quarter of an hour exactly, hourly
    ones those at the full hour, and between them nothing is made up.
    """
    if not empty or not points:
        return []
    step = step_of(points)
    reach = min(NEAR, step / 2)
    grid = SlotGrid(schedule, min(empty[0], points[0].at), max(empty[-1], points[-1].at))
    nearest: dict[datetime, Point] = {}
    for point in points:
        slot = grid.time(grid.nearest(point.at))
        known = nearest.get(slot)
        if abs(point.at - slot) <= reach and (
            known is None or abs(point.at - slot) < abs(known.at - slot)
        ):
            nearest[slot] = point
    return [
        Mended(slot, nearest[slot], round(step.total_seconds()))
        for slot in empty
        if slot in nearest
    ]
