"""Schedules beat by slots instead of intervals, and survives jumps of the wall clock."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

from celery.beat import ScheduleEntry, Scheduler
from celery.schedules import BaseSchedule, schedstate

import logs
from market.schedule.slots import Schedule
from tasks import heartbeat

log = logs.get(__name__)

CLOCK_JUMP_SECONDS = 2.0


class SlotSchedule(BaseSchedule):
    """A Celery schedule that is due once in each slot, seconds included."""

    def __init__(self, slots: Schedule) -> None:
        super().__init__()
        self.slots = slots

    def is_due(self, last_run_at: datetime) -> schedstate:
        """Due when the current slot is not that of the last run, be it older or newer."""
        now = datetime.now(UTC)
        due = self.slots.current(now) != self.slots.current(last_run_at)
        return schedstate(due, (self.slots.following(now) - now).total_seconds())

    def remaining_estimate(self, last_run_at: datetime) -> timedelta:
        """Returns the time until the next slot."""
        now = datetime.now(UTC)
        return self.slots.following(now) - now

    def __repr__(self) -> str:
        return f"<slots: {self.slots.expression}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SlotSchedule) and other.slots.expression == self.slots.expression

    def __hash__(self) -> int:
        return hash(self.slots.expression)

    def __reduce__(self) -> tuple[type["SlotSchedule"], tuple[Schedule]]:
        return SlotSchedule, (self.slots,)


class SlotScheduler(Scheduler):
    """Stores nothing on disk: a slot's id makes a second event of it harmless.

    Celery's persistent scheduler stores a shelve, which a SIGKILL can leave unreadable.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._clocks = (time.time(), time.monotonic())
        self._closed = False
        super().__init__(*args, **kwargs)

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Runs one round: checks the clock, sends what is due, records a heartbeat."""
        if self._closed:
            raise SystemExit
        self._check_clock()
        wait: float = super().tick(*args, **kwargs)
        heartbeat.record(heartbeat.BEAT)
        return wait

    def apply_entry(self, entry: ScheduleEntry, producer: Any = None) -> None:
        """Sends what is due; the log lines of a slot name its update."""
        slots = getattr(entry.schedule, "slots", None)
        update = {}
        if slots:
            # The slot is fixed here and now, however long the message takes.
            name = slots.name(slots.current(datetime.now(UTC)))
            entry.kwargs = {**(entry.kwargs or {}), "slot": name}
            update = {"update": name}
        with logs.about(**update):
            super().apply_entry(entry, producer)

    def close(self) -> None:
        """Remembers the end: Celery's handler of SIGTERM calls this, then raises SystemExit."""
        # During a read redis-py turns that into a ValueError, which Celery survives (measured: 8 of
        # 40 stops while sending): then the next tick ends beat.
        self._closed = True
        super().close()

    def _check_clock(self) -> None:
        wall, monotonic = time.time(), time.monotonic()
        drift = (wall - self._clocks[0]) - (monotonic - self._clocks[1])
        self._clocks = (wall, monotonic)
        if drift < -CLOCK_JUMP_SECONDS:
            # Intervals count from the last run, which is now in the future: beat would send nothing
            # until the clock got there again (measured: 0 of 6 slots).
            log.warning("clock jumped back, schedule restarted", seconds=-drift)
            for entry in self.schedule.values():
                entry.last_run_at = datetime.fromtimestamp(0, UTC)
            self._heap = None
