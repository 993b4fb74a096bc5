"""The times at which quotes are due: slots of a cron schedule, in UTC."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from croniter import croniter

SECONDS_FIELDS = 6


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
        """The newest slot at or before `now`."""
        # croniter looks strictly before its start, so the start lies just behind the second.
        start = now.replace(microsecond=0) + timedelta(seconds=1)
        return self._cron(start).get_prev(datetime)  # type: ignore[no-any-return]

    def following(self, moment: datetime) -> datetime:
        """The first slot after `moment`."""
        return self._cron(moment).get_next(datetime)  # type: ignore[no-any-return]

    def earlier(self, slot: datetime, count: int) -> datetime:
        """The slot that lies `count` slots before `slot`."""
        cron = self._cron(slot)
        for _ in range(count):
            slot = cron.get_prev(datetime)
        return slot

    def interval(self, moment: datetime) -> timedelta:
        """The time between the slot that `moment` lies in and the next one."""
        slot = self.current(moment)
        return self.following(slot) - slot

    def between(self, after: datetime, before: datetime) -> Iterator[datetime]:
        """The slots with after < slot < before, oldest first."""
        slot = self.following(after)
        while slot < before:
            yield slot
            slot = self.following(slot)

    def name(self, slot: datetime) -> str:
        """The id of a slot, which its event and its Update carry."""
        return slot.strftime(self._format)

    def parse(self, name: str) -> datetime | None:
        """The slot that an id names; None when it is no slot's id of this schedule."""
        try:
            slot = datetime.strptime(name, self._format).replace(tzinfo=UTC)
            is_slot = self.name(slot) == name and self.current(slot) == slot
        except (ValueError, OverflowError):  # OverflowError: the last second of the year 9999
            return None
        return slot if is_slot else None

    def _cron(self, start: datetime) -> croniter:
        return croniter(self.expression, start, second_at_beginning=True)
