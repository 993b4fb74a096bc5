"""Records `crypto.update` events in the ledger and queues their ingest tasks."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import logs
from api.extensions import Services
from bridge.consumer import Consumer, Delivery
from bridge.events import MalformedEvent, UpdateFinished
from bridge.subscriber import subscribe
from logs.redaction import plain
from market.ledger.ledger import AHEAD_SECONDS
from tasks.app import app

log = logs.get(__name__)

INGEST = "tasks.ingest.ingest"
REQUEST_PREFIX = "request-"  # ids of updates that someone asked for over HTTP


class UpdateConsumer:
    """One API process's share of the durable consumer, and its subscription to finished updates."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._consumer = Consumer(services.nats, self.take, services.settings.database)

    def start(self) -> None:
        """Starts consuming; returns at once, whatever is down."""
        self._consumer.start()
        subscribe(self._services.nats, self._on_finished)

    def stop(self) -> None:
        """Finishes the events in hand, then closes the connection."""
        self._consumer.stop()
        self._services.nats.close()

    def take(self, delivery: Delivery) -> Callable[[], None] | None:
        """Records an event in the ledger; returns what queues its task, or None for a duplicate.

        The event is acknowledged between the two: a frozen Redis must not delay that.
        """
        event, schedule = delivery.event, self._services.schedule
        name = event.id or f"event-{delivery.sequence}-{delivery.at:%Y%m%dT%H%M%S%fZ}"
        slot = schedule.parse(name)
        if slot is not None and slot > datetime.now(UTC) and self._is_far_ahead(slot):
            raise MalformedEvent(
                f"id {name} names a slot that has not come yet: at most {AHEAD_SECONDS} s before "
                "it does, by MongoDB's clock"
            )
        trigger = "schedule" if slot else "event"
        if name.startswith(REQUEST_PREFIX):
            trigger = "request"
        hops = {"published": event.timestamp} if event.timestamp else {}
        is_new = self._services.ledger.receive(
            name, trigger=trigger, slot=slot, hops={**hops, "streamed": delivery.at}
        )
        is_new = is_new or (slot is not None and self._takes_over(name, slot))
        event_name = "event recorded in the ledger" if is_new else "duplicate event ignored"
        log.info(event_name, update=name, trigger=trigger, sequence=delivery.sequence)
        return (lambda: _start(name)) if is_new else None

    def _is_far_ahead(self, slot: datetime) -> bool:
        # Asks MongoDB's clock only if this process's own says that the slot is ahead.
        return slot > self._services.ledger.now() + timedelta(seconds=AHEAD_SECONDS)

    def _takes_over(self, name: str, slot: datetime) -> bool:
        """Whether this is the real event of a slot that a wrong clock has ended already."""
        ledger = self._services.ledger
        return slot >= self._services.schedule.current(ledger.now()) and ledger.reopen(name)

    def _on_finished(self, update: UpdateFinished) -> None:
        # Clear the cache first: a request that waited for the update must read its quotes.
        self._services.response_cache.clear()
        if update.state != "received":
            self._services.waiters.notify(update.id)
            self._services.broadcaster.wake()


def _start(name: str) -> None:
    with logs.about(update=name):
        try:
            # No retry here: the sweeper queues within seconds a task that Redis does not take.
            app.send_task(INGEST, (name,), retry=False, ignore_result=True)
        except Exception as error:
            log.warning("ingest task not queued yet", reason=plain(error))
        else:
            log.info("ingest task queued")
