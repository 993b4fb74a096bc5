"""Carries out one update: fetches its quotes, stores them, closes it, tells of it."""

from datetime import UTC, datetime

from celery import Task
from kombu.exceptions import OperationalError

import logs
from bridge.events import UpdateFinished
from bridge.publisher import NotPublished, publish_best_effort, publish_update_finished
from logs.redaction import plain
from market.ingest.run_update import carry_out
from market.ledger.lease import Lease
from market.ledger.ledger import LeaseLost
from tasks.app import app
from tasks.dependencies import services

log = logs.get(__name__)


@app.task(bind=True, name="tasks.ingest.ingest")
def ingest(self: "Task[[str], str | None]", update_id: str) -> str | None:
    """Carries out an update of the ledger; its state then, or None when another has it."""
    logs.note(update=update_id)
    started = datetime.now(UTC)
    on = services()
    claim = on.ledger.claim(update_id, self.request.hostname or "", started)
    if claim is None:
        if (early := on.ledger.seconds_early(update_id)) is not None:
            log.info("its slot is still ahead", seconds=round(early, 3))
            ingest.apply_async((update_id,), countdown=early)
            return None
        log.info("it is closed, held by another, or not yet due")
        return None
    log.info("claimed", fence=claim.fence, tries=claim.tries)
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
                readable=lambda stored: publish_best_effort(
                    on.nats, UpdateFinished(update_id, "received", stored)
                ),
            )
    except LeaseLost as lost:
        log.warning("the lease is lost", reason=str(lost))
        return None
    what = "closed in the ledger" if outcome.state != "received" else "put off"
    log.info(what, state=outcome.state, stored=outcome.stored)
    if outcome.goes_on:
        _go_on(update_id)
    if outcome.state != "received":
        try:
            publish_update_finished(
                on.nats, UpdateFinished(update_id, outcome.state, outcome.stored)
            )
        except NotPublished as error:
            log.warning(
                "not announced", reason=str(error)
            )  # listeners look for themselves every few seconds
    return outcome.state


def _go_on(update_id: str) -> None:
    """Starts the update's next part, in whichever worker is free."""
    try:
        ingest.apply_async((update_id,), retry=False)
    except OperationalError as error:
        log.warning(
            "its next part is not started", reason=plain(error)
        )  # the sweeper starts it in seconds
