"""Runs one update of the ledger, and announces its end."""

from datetime import UTC, datetime

from celery import Task
from kombu.exceptions import OperationalError

import logs
from bridge.events import UpdateFinished
from bridge.publisher import NotPublished, publish_best_effort, publish_update_finished
from logs.redaction import plain
from market.ingest.run_update import UpdateContext, run_update
from market.ledger.claims import LeaseLost
from market.ledger.lease import Lease
from tasks.app import app
from tasks.dependencies import get_services

log = logs.get(__name__)


@app.task(bind=True, name="tasks.ingest.ingest")
def ingest(self: "Task[[str], str | None]", update_id: str) -> str | None:
    """Runs an update; returns its state then, or None if another worker has it."""
    logs.note(update=update_id)
    started = datetime.now(UTC)
    services = get_services()
    claim = services.ledger.claim(update_id, self.request.hostname or "", started)
    if claim is None:
        if (early := services.ledger.seconds_early(update_id)) is not None:
            log.info("slot not begun", seconds=round(early, 3))
            ingest.apply_async((update_id,), countdown=early)
        else:
            log.info("update closed, claimed by another, or not due")
        return None
    log.info("update claimed", fence=claim.fence, attempts=claim.attempts)
    context = UpdateContext(
        ledger=services.ledger,
        store=services.store,
        outlier_filter=services.outlier_filter,
        source=services.source,
        schedule=services.schedule,
        selection=services.settings.selection,
        currency=services.settings.currency,
        label=services.settings.source,
        max_pages=services.max_pages,
        obstacle=services.room.shortage,
        fallback=services.fallback,
        # Early, so that no process shows an older quote once somebody knows of the end.
        on_stored=lambda stored: publish_best_effort(
            services.nats, UpdateFinished(update_id, "received", stored)
        ),
    )
    try:
        with Lease(services.ledger, claim) as lease:
            outcome = run_update(lease, context)
    except LeaseLost as lost:
        log.warning("lease lost", reason=str(lost))
        return None
    if outcome.state == "received":
        log.info("update postponed", state=outcome.state, stored=outcome.stored)
        if outcome.has_more:
            _queue_next_run(update_id)
        return outcome.state
    log.info("update closed", state=outcome.state, stored=outcome.stored)
    try:
        publish_update_finished(
            services.nats, UpdateFinished(update_id, outcome.state, outcome.stored)
        )
    except NotPublished as error:
        # Listeners check the ledger every few seconds.
        log.warning("update end not announced", reason=str(error))
    return outcome.state


def _queue_next_run(update_id: str) -> None:
    """Queues the update's next run, for any free worker."""
    try:
        ingest.apply_async((update_id,), retry=False)
    except OperationalError as error:
        # The sweep queues it within seconds.
        log.warning("next run not queued", reason=plain(error))
