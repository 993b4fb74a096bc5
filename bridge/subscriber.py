"""Subscribes to finished updates, for caches and event streams."""

import asyncio
from collections.abc import Callable

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

import logs
from bridge.connection import Connection, NotConnected, is_cancelled
from bridge.events import FINISHED, MalformedEvent, UpdateFinished
from logs.redaction import plain

log = logs.get(__name__)

PAUSE_SECONDS = 1.0


def subscribe(connection: Connection, handler: Callable[[UpdateFinished], None]) -> None:
    """Calls `handler` for each finished update, in the loop's thread: it must not block.

    Returns at once, and subscribes as soon as NATS answers. After a lost connection nats-py
    subscribes again; after a closed one this function does. Events in between are lost.
    """

    async def receive(message: Msg) -> None:
        try:
            handler(UpdateFinished.decode(message.data))
        except Exception as error:
            is_malformed = isinstance(error, MalformedEvent)
            event = "malformed event ignored" if is_malformed else "event handler failed"
            log.warning(event, subject=FINISHED, reason=plain(error))

    async def keep_subscribed() -> None:
        subscribed: Client | None = None
        while True:
            try:
                client = await connection.client()
                if client is not subscribed:
                    await client.subscribe(FINISHED, cb=receive)
                    subscribed = client
            except (NatsError, NotConnected, OSError) as error:
                log.debug("not subscribed, retrying", subject=FINISHED, reason=plain(error))
            except (Exception, asyncio.CancelledError) as error:
                if is_cancelled():
                    raise
                # Any error: a subscriber that ended would silently receive no more events.
                log.warning("not subscribed, retrying", subject=FINISHED, reason=plain(error))
            await asyncio.sleep(PAUSE_SECONDS)

    connection.keep_running(keep_subscribed(), "subscriber")
