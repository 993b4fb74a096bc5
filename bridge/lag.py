"""Measures the consumer lag: events waiting in the stream, and dead letters."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from nats.aio.client import Client
from nats.js.errors import NotFoundError

from bridge.streams import CONSUMER, DEAD_LETTERS, EVENTS

SECONDS = 3.0


@dataclass(frozen=True)
class Backlog:
    """Unacknowledged events, when the oldest one was published, and the number of dead letters.

    None means unknown.
    """

    pending: int | None = None
    oldest: datetime | None = None
    dead_letters: int | None = None

    def lag_seconds(self, now: datetime) -> float | None:
        """Returns how long the oldest event has waited; 0 if none waits, None if unknown."""
        if self.pending is None:
            return None
        return max(0.0, (now - self.oldest).total_seconds()) if self.oldest else 0.0


async def backlog(client: Client) -> Backlog:
    """Reads the current backlog; raises nats.errors.Error."""
    js = client.jetstream(timeout=SECONDS)
    consumer = await js.consumer_info(EVENTS, CONSUMER)
    pending = (consumer.num_pending or 0) + (consumer.num_ack_pending or 0)
    dead = await js.stream_info(DEAD_LETTERS)
    oldest = None
    if pending:
        # Acknowledged messages leave a work queue, so its first message is the oldest one waiting.
        first = (await js.stream_info(EVENTS)).state.first_seq
        with suppress(NotFoundError):  # it was consumed in between
            oldest = (await js.get_msg(EVENTS, first)).time
    return Backlog(pending, oldest, dead.state.messages)
