"""Whether the present slot's update is in already."""

import time
from datetime import datetime

from market.ledger.ledger import Ledger
from market.schedule.slots import Schedule

LOOK_SECONDS = 1.0  # how often the ledger is asked, at most, while the update is awaited


class Arrivals:
    """What one process knows of it: a read of the ledger a slot, or a second while it is awaited.

    Two threads may ask at once; they learn the same.
    """

    def __init__(self, schedule: Schedule, ledger: Ledger) -> None:
        self._schedule = schedule
        self._ledger = ledger
        self._in: tuple[datetime, datetime] | None = (
            None  # the slot whose update is in, and its end
        )
        self._asked = float("-inf")

    def next_news(self, now: datetime) -> datetime | None:
        """When new quotes are due next: the next slot, or None while this slot's are awaited.

        Ask before reading what it is about: quotes that come in between would else be missed.
        Raises what MongoDB raises.
        """
        known = self._in
        if known is not None and known[0] <= now < known[1]:
            return known[1]
        if time.monotonic() - self._asked < LOOK_SECONDS:
            return None
        self._asked = time.monotonic()
        slot = self._schedule.current(now)
        update = self._ledger.get(self._schedule.name(slot))
        if update is None or update["state"] != "done":
            return None
        self._in = (slot, self._schedule.following(slot))
        return self._in[1]
