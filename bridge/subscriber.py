"""Hears finished updates, for whoever has something to drop or to tell then."""

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
    """Calls `handler` for each finished update, in the loop's thread: it must not wait.

    Returns at once. Subscribes as soon as NATS answers; after a lost connection nats-py subscribes
    again by itself, after a closed one this does. News of that time is lost.
    """

    async def hear(message: Msg) -> None:
        try:
            handler(UpdateFinished.decode(message.data))
        except Exception as error:
            what = "no news" if isinstance(error, MalformedEvent) else "news was not taken in"
            log.warning(what, subject=FINISHED, reason=plain(error))

    async def keep_subscribed() -> None:
        subscribed: Client | None = None
        while True:
            try:
                client = await connection.client()
                if client is not subscribed:
                    await client.subscribe(FINISHED, cb=hear)
                    subscribed = client
            except (NatsError, NotConnected, OSError) as error:
                log.debug("not subscribed; trying again", subject=FINISHED, reason=plain(error))
            except (Exception, asyncio.CancelledError) as error:
                if is_cancelled():
                    raise
                # Whatever it was: a listener that ended would leave this process without news.
                log.warning("not subscribed; trying again", subject=FINISHED, reason=plain(error))
            await asyncio.sleep(PAUSE_SECONDS)

    connection.keep_running(keep_subscribed(), "the listener")
