"""Publishes each slot's event, and ensures that no slot and no update is lost."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta

from celery import Task
from redis import RedisError

import logs
from bridge.events import UpdateRequested
from bridge.publisher import publish
from market.ledger.ledger import AHEAD_SECONDS
from market.ledger.missed_slots import missed_slots
from market.storage import home
from settings.home_claim import claim
from tasks.app import app
from tasks.dependencies import Services, get_services
from tasks.ingest import ingest

log = logs.get(__name__)


# Its result is stored for an hour: the caller finds the id of the update by it.
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

    With `scheduled`, as beat calls it, the event is that of `slot`, which exists once, however
    often it is sent; or that of the current slot, if by MongoDB's clock it is not this slot's turn.
    Without, as a person calls it, each call is an event of its own.
    """
    services = get_services()
    if not scheduled:
        name = f"call-{self.request.id}"
        _publish(services, name, message_id=name)
        return name
    due = _due(services, slot)
    name = services.schedule.name(due)
    if services.ledger.reopen(name):
        # JetStream may know its event from a time when a clock ran ahead, and drop this one.
        _queue(name)
    else:
        _publish(services, name, message_id=name)
    return name


def _due(services: Services, slot: str | None) -> datetime:
    """Returns the slot that beat means, or the current one if beat's clock is far off."""
    now = services.ledger.now()
    current = services.schedule.current(now)
    meant = services.schedule.parse(slot) if slot else None
    if meant is None or not current <= meant <= now + timedelta(seconds=AHEAD_SECONDS):
        return current
    return meant


@app.task(name="tasks.schedule.ensure_slot", time_limit=60, soft_time_limit=50)
def ensure_slot() -> None:
    """Publishes the current slot if its event was lost, and retries it if it failed.

    MongoDB's clock decides which slot that is: a host's may be off. Older slots without an update
    are entered as missed: they are never filled with a current price.
    """
    services = get_services()
    with suppress(RedisError):
        # Again, in case Redis lost its data.
        settings = services.settings
        claim(settings.server("redis_url"), settings.database, home.known(services.database))
    current = services.schedule.current(services.ledger.now())
    if early := services.ledger.mark_early():
        log.warning("updates of future slots found", count=early)
    if missed := services.ledger.enter_missed(
        missed_slots(services.ledger, services.schedule, current)
    ):
        log.warning("slots missed", count=missed)
    name = services.schedule.name(current)
    update = services.ledger.get(name)
    if update is None:
        # Without a message id: JetStream would drop it as a duplicate of one whose ledger entry was
        # lost.
        _publish(services, name)
    elif services.ledger.reopen(name, failed=True):
        _queue(name)


def _queue(name: str) -> None:
    log.info("update reopened", update=name)
    ingest.apply_async((name,))


def _publish(services: Services, name: str, message_id: str | None = None) -> None:
    logs.note(update=name)
    event = UpdateRequested(name, datetime.now(UTC))
    log.info("published", sequence=publish(services.nats, event, message_id=message_id))


@app.task(name="tasks.schedule.sweep", time_limit=30, soft_time_limit=25)
def sweep() -> None:
    """Queues every update whose task was lost or whose worker died."""
    for name in get_services().ledger.sweep():
        log.warning("lost update queued", update=name)
        ingest.apply_async((name,))
