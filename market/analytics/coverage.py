"""Computes the evidence behind a number: the records used, expected and missing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from market.schedule.slots import Schedule, SlotGrid
from market.storage.quote_history import Record


@dataclass(frozen=True, slots=True)
class Evidence:
    """How many records were used, and how many the schedule expects.

    `expected` counts the slots from the oldest record to the newest, or of a window. `gaps` counts
    those that no record is nearest to: the update of the slot failed, or the source had no newer
    price. An update requested in between adds a record but no slot, so `count` may exceed
    `expected` - `gaps`. Both are None if there is neither a record nor a window.
    """

    count: int
    repaired: int
    oldest: datetime | None = None
    newest: datetime | None = None
    source: str | None = None
    expected: int | None = None
    gaps: int | None = None


def evidence(
    records: Sequence[Record],
    schedule: Schedule,
    window: tuple[datetime, datetime] | None = None,
    early: Sequence[Record] = (),
) -> Evidence:
    """Returns the evidence of records, newest first, of a window's start < at <= end if given.

    `early` is the record before the window, if any: a quote's own time may precede its slot, so it
    may be the quote of the window's first slot.
    """
    ends = window or ((records[-1].at, records[0].at) if records else None)
    if ends is None:
        return Evidence(count=0, repaired=0)
    times = [record.at for record in (*records, *early)]
    grid = SlotGrid(schedule, min(*times, *ends), max(*times, *ends))
    if window:
        slots = range(grid.until(ends[0]) + 1, grid.until(ends[1]) + 1)
    else:
        slots = range(grid.nearest(ends[0]), grid.nearest(ends[1]) + 1)
    filled = {grid.nearest(at) for at in times}
    return Evidence(
        count=len(records),
        repaired=sum(record.resolution is not None for record in records),
        oldest=records[-1].at if records else None,
        newest=records[0].at if records else None,
        source=records[0].source if records else None,
        expected=len(slots),
        gaps=len(slots) - sum(number in slots for number in filled),
    )
