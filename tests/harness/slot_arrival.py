"""Whether the present slot counts as arrived."""

from datetime import UTC, datetime, timedelta

from flask import Flask

from api.extensions import EXTENSION
from tests.harness.ledger_entries import close


def the_slot_is_in(app: Flask) -> int:
    """Enters the present slot's update as done; the seconds to the next slot."""
    on = app.extensions[EXTENSION]
    now = datetime.now(UTC)
    name = on.schedule.name(on.schedule.current(now))
    on.ledger.receive(name, trigger="schedule", slot=on.schedule.current(now), hops={})
    close(on.ledger, name, "done")
    left: timedelta = on.schedule.following(now) - now
    return int(left.total_seconds())
