"""Publishes each slot's event, and makes sure that no slot and no update is forgotten."""

from datetime import UTC, datetime
from itertools import islice

from celery import Task

import logbook
from bridge.events import UpdateRequested
from bridge.publisher import publish
from tasks.app import app
from tasks.ingest import ingest
from tasks.services import Services, services

log = logbook.get(__name__)

RECENT = 100
MISSED_AT_ONCE = 1000  # the rest of a very long outage is entered by the next runs


# Its result is kept for an hour: whoever called it finds the id of the update by it.
@app.task(
    bind=True,
    name="tasks.schedule.publish_update",
    time_limit=30,
    soft_time_limit=25,
    ignore_result=False,
)
def publish_update(self: "Task[[bool], str]", scheduled: bool = False) -> str:
    """Publishes `crypto.update` and returns the event's id.

    `scheduled`, as beat calls it: the event is the current slot's, and exists once, however often
    it is sent. Otherwise, as a person calls it, each call is an event of its own.
    """
    on = services()
    now = datetime.now(UTC)
    name = on.schedule.name(on.schedule.current(now)) if scheduled else f"call-{self.request.id}"
    _publish(on, name, now, message_id=name)
    return name


@app.task(name="tasks.schedule.ensure_slot", time_limit=60, soft_time_limit=50)
def ensure_slot() -> None:
    """Publishes the current slot if its event was lost, tries it again if it failed.

    Older slots that nobody carried out are entered as missed: they are never filled with a
    present price.
    """
    on = services()
    now = datetime.now(UTC)
    current = on.schedule.current(now)
    if missed := on.ledger.enter_missed(_forgotten(on, current)):
        log.warning("slots were missed", count=missed)
    name = on.schedule.name(current)
    update = on.ledger.get(name)
    if update is None:
        # Without a message id: JetStream would drop it as the double of one whose ledger entry
        # was lost.
        _publish(on, name, now)
    elif update["state"] == "failed" and on.ledger.reopen(name):
        log.info("opened again", update=name)
        ingest.apply_async((name,))


def _publish(on: Services, name: str, now: datetime, message_id: str | None = None) -> None:
    logbook.note(update=name)
    sequence = publish(on.nats, UpdateRequested(name, now), message_id=message_id)
    log.info("published", sequence=sequence)


def _forgotten(on: Services, current: datetime) -> dict[str, datetime]:
    """Slots before the current one that have no update, by id: the oldest of them first.

    Looked for among the last 100, since newer slots may have an update while older ones have
    none, and beyond those as far back as the newest slot that has one.
    """
    recent = on.schedule.earlier(current, RECENT)
    start = on.ledger.newest_slot(before=recent) or on.ledger.oldest_slot()
    if start is None:
        return {}
    slots = islice(on.schedule.between(start, current), RECENT + MISSED_AT_ONCE)
    named = {on.schedule.name(slot): slot for slot in slots}
    known = on.ledger.known(named)
    unknown = ((name, slot) for name, slot in named.items() if name not in known)
    return dict(islice(unknown, MISSED_AT_ONCE))


@app.task(name="tasks.schedule.sweep", time_limit=30, soft_time_limit=25)
def sweep() -> None:
    """Starts again every update whose task was lost or whose worker died."""
    for name in services().ledger.sweep():
        log.warning("started again", update=name)
        ingest.apply_async((name,))
