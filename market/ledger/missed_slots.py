"""Decides which slots are missed: a past one is never filled with a current price."""

from datetime import datetime
from itertools import islice

from market.ledger.ledger import Ledger
from market.schedule.slots import Schedule

RECENT = 100
MAX_MISSED = 1000  # the next runs enter the rest of a very long outage


def is_past(slot: datetime, schedule: Schedule, now: datetime) -> bool:
    """Whether a later slot has begun. A slot ahead is not past: its update waits for it."""
    return schedule.current(now) > slot


def missed_slots(ledger: Ledger, schedule: Schedule, current: datetime) -> dict[str, datetime]:
    """Returns slots before the current one that have no update, by id, the oldest first.

    It searches the last 100, since newer slots may have an update while older ones have none, and
    beyond those back to the newest slot that has one.
    """
    recent = schedule.earlier(current, RECENT)
    start = ledger.newest_slot(before=recent) or ledger.oldest_slot()
    if start is None:
        return {}
    slots = islice(schedule.between(start, current), RECENT + MAX_MISSED)
    named = {schedule.name(slot): slot for slot in slots}
    known = ledger.known(named)
    unknown = ((name, slot) for name, slot in named.items() if name not in known)
    return dict(islice(unknown, MAX_MISSED))
