"""The slots of a cron schedule, in UTC: the times at which quotes are due, and their numbers."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from croniter import croniter

SECONDS_FIELDS = 6
DAY_SECONDS = 86_400
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Schedule:
    """A cron schedule of five fields, or of six with seconds first; every time is aware UTC.

    >>> Schedule("*/15 * * * *").name(datetime(2026, 11, 22, 8, 30, tzinfo=UTC))
    '2026-11-22T08:30Z'
    """

    def __init__(self, expression: str) -> None:
        self.expression = expression
        seconds = len(expression.split()) == SECONDS_FIELDS
        self._format = "%Y-%m-%dT%H:%M:%SZ" if seconds else "%Y-%m-%dT%H:%MZ"

    def current(self, now: datetime) -> datetime:
        """Returns the newest slot at or before `now`."""
        # croniter looks strictly before its start, so the start is one second later.
        start = now.replace(microsecond=0) + timedelta(seconds=1)
        return self._cron(start).get_prev(datetime)  # type: ignore[no-any-return]

    def following(self, moment: datetime) -> datetime:
        """Returns the first slot after `moment`."""
        return self._cron(moment).get_next(datetime)  # type: ignore[no-any-return]

    def earlier(self, slot: datetime, count: int) -> datetime:
        """Returns the slot that is `count` slots before `slot`."""
        cron = self._cron(slot)
        for _ in range(count):
            slot = cron.get_prev(datetime)
        return slot

    def interval(self, moment: datetime) -> timedelta:
        """Returns the length of the slot that `moment` lies in."""
        slot = self.current(moment)
        return self.following(slot) - slot

    def between(self, after: datetime, before: datetime) -> Iterator[datetime]:
        """Yields the slots with after < slot < before, oldest first."""
        slot = self.following(after)
        while slot < before:
            yield slot
            slot = self.following(slot)

    def name(self, slot: datetime) -> str:
        """Returns a slot's id, which its event and its update carry."""
        return slot.strftime(self._format)

    def parse(self, name: str) -> datetime | None:
        """Returns the slot with this id; None if no slot of this schedule has it."""
        try:
            slot = datetime.strptime(name, self._format).replace(tzinfo=UTC)
            is_slot = self.name(slot) == name and self.current(slot) == slot
        except (ValueError, OverflowError):  # OverflowError: the last second of the year 9999
            return None
        return slot if is_slot else None

    def _cron(self, start: datetime) -> croniter:
        return croniter(self.expression, start, second_at_beginning=True)


class SlotGrid:
    """Numbers a schedule's slots from `first` to `last` without gaps; every time is aware UTC.

    A time belongs to the nearest slot. A quote's own time is some seconds or minutes before its
    update, or just after the slot: two coins of one update may lie on either side of the slot.

    croniter takes 0.1 ms to find a slot. This class uses arithmetic, since every day that has slots
    has the same ones.

    >>> hour = datetime(2026, 11, 22, 8, tzinfo=UTC)
    >>> grid = SlotGrid(Schedule("*/15 * * * *"), hour, hour + timedelta(hours=1))
    >>> grid.nearest(hour + timedelta(minutes=14)) - grid.nearest(hour)
    1
    """

    def __init__(self, schedule: Schedule, first: datetime, last: datetime) -> None:
        self._seconds = _seconds_of_day(schedule.expression)
        self._days = _days(schedule.expression, first, last)

    def until(self, moment: datetime) -> int:
        """Returns the number of the last slot at or before `moment`."""
        since = moment - EPOCH
        day = bisect_right(self._days, since.days) - 1
        if self._days[day] < since.days:
            return (day + 1) * len(self._seconds) - 1
        return day * len(self._seconds) + bisect_right(self._seconds, since.seconds) - 1

    def nearest(self, moment: datetime) -> int:
        """Returns the number of the slot nearest to `moment`; of two, the earlier."""
        before = self.until(moment)
        middle = (self._second(before) + self._second(before + 1)) / 2
        return before + ((moment - EPOCH).total_seconds() > middle)

    def time(self, number: int) -> datetime:
        """Returns a slot's time."""
        return EPOCH + timedelta(seconds=self._second(number))

    def _second(self, number: int) -> int:
        day, index = divmod(number, len(self._seconds))
        return self._days[day] * DAY_SECONDS + self._seconds[index]


@lru_cache(maxsize=8)
def _seconds_of_day(expression: str) -> list[int]:
    """Returns the slots of a day that has any, in seconds since midnight."""
    fields, _ = croniter.expand(expression, second_at_beginning=True)
    if len(fields) < SECONDS_FIELDS:
        fields = [*fields, [0]]
    minutes, hours, seconds = (
        range(size) if field == ["*"] else field
        for field, size in ((fields[0], 60), (fields[1], 24), (fields[-1], 60))
    )
    return [h * 3600 + m * 60 + s for h in hours for m in minutes for s in seconds]


def _days(expression: str, first: datetime, last: datetime) -> Sequence[int]:
    """Returns the days that have slots, counted since 1970, with one more on either side."""
    fields = expression.split()[-3:]
    if fields == ["*", "*", "*"]:
        return range((first - EPOCH).days - 1, (last - EPOCH).days + 2)
    schedule = Schedule(" ".join(["0", "0", *fields]))
    days = [schedule.earlier(schedule.current(first), 1)]
    while days[-1] <= last:
        days.append(schedule.following(days[-1]))
    return [(day - EPOCH).days for day in days]
