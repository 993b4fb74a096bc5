"""Carries out one update: fetches its quotes, stores them, closes it, tells of it."""

import logging
from datetime import UTC, datetime

from celery import Task
from kombu.exceptions import OperationalError

from bridge.events import UpdateFinished
from bridge.publisher import NotPublished, announce, hint
from market.collect import carry_out
from market.lease import Lease
from market.ledger import LeaseLost
from tasks.app import app
from tasks.services import services

log = logging.getLogger(__name__)


@app.task(bind=True, name="tasks.ingest.ingest")
def ingest(self: "Task[[str], str | None]", update_id: str) -> str | None:
    """Carries out an update of the ledger; its state then, or None when another has it."""
    started = datetime.now(UTC)
    on = services()
    claim = on.ledger.claim(update_id, self.request.hostname or "", started)
    if claim is None:
        return None
    try:
        with Lease(on.ledger, claim) as lease:
            outcome = carry_out(
                lease,
                ledger=on.ledger,
                store=on.store,
                sieve=on.sieve,
                source=on.source,
                schedule=on.schedule,
                wanted=on.settings.selection,
                currency=on.settings.currency,
                label=on.settings.source,
                at_once=on.at_once,
                obstacle=on.room.shortage,
                substitute=on.substitute,
                # Early, so that no process shows an older quote once somebody knows of the end.
                readable=lambda stored: hint(
                    on.nats, UpdateFinished(update_id, "received", stored)
                ),
            )
    except LeaseLost as lost:
        log.warning("%s", lost)
        return None
    log.info("update %s: %s, %d stored", update_id, outcome.state, outcome.stored)
    if outcome.goes_on:
        _go_on(update_id)
    if outcome.state != "received":
        try:
            announce(on.nats, UpdateFinished(update_id, outcome.state, outcome.stored))
        except NotPublished as error:
            log.warning("%s", error)  # listeners look for themselves every few seconds
    return outcome.state


def _go_on(update_id: str) -> None:
    """Starts the update's next part, in whichever worker is free."""
    try:
        ingest.apply_async((update_id,), retry=False)
    except OperationalError as error:
        log.warning("%s", error)  # the sweeper starts it in seconds
