"""Hears the events of a NATS subject, beside those whose work they are."""

import asyncio
import contextlib
import json
import threading
from collections.abc import Iterator

from nats.aio.client import Client
from nats.aio.msg import Msg

SECONDS = 3.0  # for each step


async def connect(url: str) -> Client:
    """A connection that is not made again once it is lost; OSError, or an error of NATS."""
    client = Client()
    try:
        await asyncio.wait_for(
            client.connect(url, allow_reconnect=False, connect_timeout=2, error_cb=_ignore),
            SECONDS,
        )
    except BaseException:
        await client.close()
        raise
    return client


class Ear:
    """Which ids of events were heard so far."""

    def __init__(self) -> None:
        self._heard: set[str] = set()

    def heard(self, event_id: str) -> bool:
        """Whether the event of this id came by."""
        return event_id in self._heard

    async def take(self, message: Msg) -> None:
        """Notes a message; what is no event is nobody's."""
        with contextlib.suppress(ValueError):
            event = json.loads(message.data)
            if isinstance(event, dict):
                self._heard.add(str(event.get("id")))


@contextlib.contextmanager
def listening(url: str, subject: str) -> Iterator[Ear]:
    """Hears all that comes by on `subject` from now on; raises what NATS says when it cannot."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="ear", daemon=True)
    thread.start()
    ear = Ear()

    async def begin() -> Client:
        client = await connect(url)
        await client.subscribe(subject, cb=ear.take)
        await client.flush(timeout=2)
        return client

    try:
        client = asyncio.run_coroutine_threadsafe(begin(), loop).result(SECONDS * 3)
        try:
            yield ear
        finally:
            with contextlib.suppress(Exception):  # it may be gone meanwhile
                asyncio.run_coroutine_threadsafe(client.close(), loop).result(SECONDS)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(SECONDS)
        loop.close()


async def _ignore(_: Exception) -> None:
    """What goes wrong is raised as well."""
