"""Publishes each slot's event, and makes sure that no slot and no update is forgotten."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import islice

from celery import Task
from redis import RedisError

import logs
from bridge.events import UpdateRequested
from bridge.publisher import publish
from market.ledger.ledger import AHEAD_SECONDS
from market.storage import home
from settings.home_claim import claim
from tasks.app import app
from tasks.dependencies import Services, services
from tasks.ingest import ingest

log = logs.get(__name__)

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
def publish_update(
    self: "Task[[bool, str | None], str]", scheduled: bool = False, slot: str | None = None
) -> str:
    """Publishes `crypto.update` and returns the event's id.

    `scheduled`, as beat calls it: the event is the one of `slot`, which exists once, however often
    it is sent. Where MongoDB's clock does not agree that it is this slot's turn, it is the current
    one's. Otherwise, as a person calls it, each call is an event of its own.
    """
    on = services()
    if not scheduled:
        name = f"call-{self.request.id}"
        _publish(on, name, message_id=name)
        return name
    due = _due(on, slot)
    name = on.schedule.name(due)
    if on.ledger.reopen(name):
        # JetStream may know its event from the time when a clock ran ahead, and drop this one.
        _start(name)
    else:
        _publish(on, name, message_id=name)
    return name


def _due(on: Services, slot: str | None) -> datetime:
    """The slot that beat means, unless its clock is far off; then the current one."""
    now = on.ledger.now()
    current = on.schedule.current(now)
    meant = on.schedule.parse(slot) if slot else None
    if meant is None or not current <= meant <= now + timedelta(seconds=AHEAD_SECONDS):
        return current
    return meant


@app.task(name="tasks.schedule.ensure_slot", time_limit=60, soft_time_limit=50)
def ensure_slot() -> None:
    """Publishes the current slot if its event was lost, tries it again if it failed.

    What slot it is, MongoDB's clock says: one host's may be off. Older slots that nobody carried
    out are entered as missed: they are never filled with a present price.
    """
    on = services()
    with suppress(RedisError):
        # Anew, should Redis have lost its data.
        claim(on.settings.server("redis_url"), on.settings.database, home.known(on.database))
    current = on.schedule.current(on.ledger.now())
    if early := on.ledger.mark_early():
        log.warning("updates of slots that are still ahead were carried out", count=early)
    if missed := on.ledger.enter_missed(_forgotten(on, current)):
        log.warning("slots were missed", count=missed)
    name = on.schedule.name(current)
    update = on.ledger.get(name)
    if update is None:
        # Without a message id: JetStream would drop it as the double of one whose ledger entry
        # was lost.
        _publish(on, name)
    elif on.ledger.reopen(name, failed=True):
        _start(name)


def _start(name: str) -> None:
    log.info("opened again", update=name)
    ingest.apply_async((name,))


def _publish(on: Services, name: str, message_id: str | None = None) -> None:
    logs.note(update=name)
    event = UpdateRequested(name, datetime.now(UTC))
    log.info("published", sequence=publish(on.nats, event, message_id=message_id))


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
