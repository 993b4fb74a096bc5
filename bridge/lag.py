"""What waits in the streams: events that nobody has taken yet, and dead letters."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from nats.aio.client import Client
from nats.js.errors import NotFoundError

from bridge.streams import CONSUMER, DEAD_LETTERS, EVENTS

SECONDS = 3.0


@dataclass(frozen=True)
class Backlog:
    """Events not yet acknowledged, when the oldest of them was published, and dead letters.

    Without arguments: nothing is known.
    """

    pending: int | None = None
    oldest: datetime | None = None
    dead_letters: int | None = None

    def lag_seconds(self, now: datetime) -> float | None:
        """How long the oldest event has waited; 0 when none waits, None when it is not known."""
        if self.pending is None:
            return None
        return max(0.0, (now - self.oldest).total_seconds()) if self.oldest else 0.0


async def backlog(client: Client) -> Backlog:
    """What waits now; raises nats.errors.Error."""
    js = client.jetstream(timeout=SECONDS)
    consumer = await js.consumer_info(EVENTS, CONSUMER)
    pending = (consumer.num_pending or 0) + (consumer.num_ack_pending or 0)
    dead = await js.stream_info(DEAD_LETTERS)
    oldest = None
    if pending:
        # What is acknowledged leaves a work queue: its first message is the oldest that waits.
        first = (await js.stream_info(EVENTS)).state.first_seq
        with suppress(NotFoundError):  # it was taken in between
            oldest = (await js.get_msg(EVENTS, first)).time
    return Backlog(pending, oldest, dead.state.messages)
