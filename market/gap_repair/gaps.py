"""What of the coins' history is to be mended: the time before the first quote, and the gaps."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from market.gap_repair.queue import Wanted
from market.model.quotes import DEVIATION_WINDOW
from market.schedule.slots import Schedule
from market.sources.coingecko_charts import DAY, HOUR

SPARE = timedelta(hours=4)  # hourly points that are null or missing


def backfill_start(schedule: Schedule, now: datetime) -> datetime:
    """From when on charts have the points for 100 records up to now.

    The last day has a point for each slot; before it there is one an hour, or one a slot where
    slots are longer.
    """
    slot = schedule.interval(now)
    older = max(0, DEVIATION_WINDOW - DAY // slot) * max(slot, HOUR)
    return schedule.current(now - DAY - older - (SPARE if older else timedelta(0)))


def stretches(schedule: Schedule, slots: Iterable[datetime]) -> list[tuple[datetime, datetime]]:
    """Slots as stretches start <= slot < end of neighbours, oldest first."""
    found: list[tuple[datetime, datetime]] = []
    for slot in sorted(slots):
        following = schedule.following(slot)
        if found and found[-1][1] == slot:
            found[-1] = (found[-1][0], following)
        else:
            found.append((slot, following))
    return found


def wanted(
    coins: Sequence[str], stretch: tuple[datetime, datetime], *, urgency: int = 0
) -> list[Wanted]:
    """A repair of one stretch for each coin, in their order; a lower urgency goes first of all."""
    start, end = stretch
    return [
        Wanted(coin, start, end, urgency * 1_000_000 + place) for place, coin in enumerate(coins)
    ]
