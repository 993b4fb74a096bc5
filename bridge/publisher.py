"""Publishes events on NATS."""

import time

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.api import Header
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from bridge.connection import Connection, NotConnected
from bridge.events import FINISHED, REQUESTED, UpdateFinished, UpdateRequested
from bridge.streams import EVENTS
from logs.redaction import plain

ACK_SECONDS = 2.0
PUBLISH_SECONDS = 10.0


class NotPublished(Exception):
    """No acknowledgement arrived: the event may or may not be stored."""


def publish(
    connection: Connection,
    event: UpdateRequested,
    *,
    message_id: str | None = None,
    within: float = PUBLISH_SECONDS,
) -> int:
    """Publishes an event until JetStream has it on disk; returns its sequence in the stream.

    Each attempt carries the same `message_id` as `Nats-Msg-Id`, so a lost acknowledgement does not
    duplicate the event. Raises NotPublished after `within` seconds.
    """
    headers: dict[str, str] | None = {Header.MSG_ID: message_id} if message_id else None

    async def once(client: Client) -> int:
        js = client.jetstream()
        ack = await js.publish(
            REQUESTED, event.encode(), timeout=ACK_SECONDS, stream=EVENTS, headers=headers
        )
        return ack.seq

    started = time.monotonic()
    retrying = Retrying(
        retry=retry_if_exception_type((NatsError, NotConnected, TimeoutError, OSError)),
        wait=wait_random_exponential(multiplier=0.1, max=1),
        stop=stop_after_delay(within),
        reraise=True,
    )
    try:
        sequence: int = retrying(connection.run, once, ACK_SECONDS + 0.5)
    except (NatsError, NotConnected, TimeoutError, OSError) as error:
        raise NotPublished(
            f"NATS acknowledged no event within {time.monotonic() - started:.0f} s: {plain(error)}"
        ) from error
    return sequence


def publish_best_effort(connection: Connection, event: UpdateFinished) -> None:
    """Does as `publish_update_finished`, but neither waits for NATS nor reports a failure."""

    async def once(client: Client) -> None:
        await client.publish(FINISHED, event.encode())

    connection.start(once, ACK_SECONDS)


def publish_update_finished(connection: Connection, event: UpdateFinished) -> None:
    """Publishes that an update ended; raises NotPublished if NATS is unreachable.

    It uses plain NATS, so the event may be lost: only speed may depend on it.
    """

    async def once(client: Client) -> None:
        await client.publish(FINISHED, event.encode())
        await client.flush(timeout=1)

    try:
        connection.run(once, ACK_SECONDS)
    except (NatsError, NotConnected, TimeoutError, OSError) as error:
        raise NotPublished(f"{FINISHED} was not published: {plain(error)}") from error
