"""Provides one NATS connection with one event loop thread for each process.

nats-py has no synchronous client. A connection made before a fork times out in the child, so a
forked process gets a new loop and a new connection.
"""

import asyncio
import contextlib
import os
import threading
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from nats.aio.client import Client
from nats.errors import Error as NatsError

import logs
from logs.redaction import plain

log = logs.get(__name__)
Result = TypeVar("Result")

CONNECT_SECONDS = 2
PING_SECONDS = 5  # with two outstanding pings, a half-open connection is detected within 20 s
DRAIN_SECONDS = 5.0
FLUSH_SECONDS = 1.0


def split_credentials(url: str) -> tuple[str, dict[str, Any]]:
    """Splits an address into its URL and its decoded credentials: nats-py decodes no %2F."""
    parts = urlsplit(url)
    before, _, host = parts.netloc.rpartition("@")
    address = parts._replace(netloc=host).geturl()
    user, colon, password = (unquote(part) for part in before.partition(":"))
    if colon:
        return address, {"user": user, "password": password}
    return address, {"token": user} if user else {}


class NotConnected(Exception):
    """NATS could not be reached in time."""


def is_cancelled() -> bool:
    """Returns whether the running task itself was cancelled.

    Otherwise nats-py cancelled what the task waited for, together with the connection.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


class Connection:
    """Runs coroutines on this process's NATS connection, which the first use creates."""

    def __init__(self, url: str, name: str) -> None:
        self._url = url
        self._name = name
        self._lock = threading.Lock()
        self._process: int | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._client: Client | None = None
        self._connecting: asyncio.Lock | None = None
        self._closing: set[asyncio.Task[None]] = set()

    def run(self, work: Callable[[Client], Awaitable[Result]], timeout: float) -> Result:
        """Returns the result of `work(client)`; raises NotConnected, TimeoutError, or its error."""
        future = asyncio.run_coroutine_threadsafe(self._with_client(work, timeout), self.loop())
        try:
            return future.result(timeout + 1)
        except TimeoutError:
            future.cancel()
            raise

    def start(self, work: Callable[[Client], Awaitable[Result]], timeout: float) -> None:
        """Starts `work(client)` without waiting for it; its errors are dropped."""
        asyncio.run_coroutine_threadsafe(self._with_client(work, timeout), self.loop())

    def keep_running(self, work: Coroutine[Any, Any, None], name: str) -> Future[None]:
        """Starts a coroutine that runs until it is cancelled; logs an error that ends it."""

        def log_error(ended: Future[None]) -> None:
            if not ended.cancelled() and (error := ended.exception()) is not None:
                log.critical("background task failed", task=name, exc_info=error)

        running = asyncio.run_coroutine_threadsafe(work, self.loop())
        running.add_done_callback(log_error)
        return running

    def loop(self) -> asyncio.AbstractEventLoop:
        """Returns this process's event loop, which runs in its own thread."""
        with self._lock:
            if self._process != os.getpid() or self._loop is None:
                self._process = os.getpid()
                self._client = None
                self._connecting = asyncio.Lock()
                self._closing = set()
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=_run_on, args=(self._loop,), name="nats", daemon=True
                )
                self._thread.start()
            return self._loop

    async def client(self) -> Client:
        """Returns the connected client; call it on the loop. Raises NotConnected."""
        assert self._connecting is not None
        async with self._connecting:
            if self._client is None or self._client.is_closed:
                self._client = await self._connect()
            return self._client

    def close(self) -> None:
        """Drains the connection and stops the loop's thread; does nothing in a forked child."""
        with self._lock:
            loop, thread = self._loop, self._thread
            if loop is None or thread is None or self._process != os.getpid():
                return
            with contextlib.suppress(TimeoutError):
                asyncio.run_coroutine_threadsafe(self._drain(), loop).result(DRAIN_SECONDS + 1)
            loop.call_soon_threadsafe(loop.stop)
            thread.join(DRAIN_SECONDS)
            if not thread.is_alive():
                loop.close()
            self._loop = self._thread = self._client = None

    async def _with_client(
        self, work: Callable[[Client], Awaitable[Result]], timeout: float
    ) -> Result:
        async def connected_work() -> Result:
            return await work(await self.client())

        try:
            return await asyncio.wait_for(connected_work(), timeout)
        except asyncio.CancelledError:
            if is_cancelled():
                raise
            raise NotConnected("the connection to NATS was lost") from None

    async def _connect(self) -> Client:
        client = Client()
        address, credentials = split_credentials(self._url)
        failures: list[Exception] = []

        async def on_error(error: Exception) -> None:
            if self._client is client:
                log.warning("NATS connection failed", reason=plain(error))
            else:
                failures.append(error)  # the reason that NotConnected reports

        try:
            await asyncio.wait_for(
                client.connect(
                    address,
                    **credentials,
                    name=self._name,
                    connect_timeout=CONNECT_SECONDS,
                    ping_interval=PING_SECONDS,
                    max_outstanding_pings=2,
                    max_reconnect_attempts=-1,
                    reconnect_time_wait=1,
                    error_cb=on_error,
                ),
                CONNECT_SECONDS,
            )
        except BaseException as error:
            await self._discard(client)
            if not isinstance(error, (TimeoutError, OSError, NatsError)):
                raise
            reason = failures[-1] if failures else error
            raise NotConnected(
                f"NATS could not be reached: {str(reason) or type(reason).__name__}"
            ) from error
        return client

    async def _discard(self, client: Client) -> None:
        """Closes a client that nobody is to use, in whatever state: its socket would stay open.

        Cancelled meanwhile, once or again, as by `_drain` and then by `wait_for`, it still does.
        """
        closing = asyncio.ensure_future(client.close())
        self._closing.add(closing)
        while not closing.done():
            with contextlib.suppress(Exception, asyncio.CancelledError):
                await asyncio.shield(closing)
        self._closing.discard(closing)

    async def _drain(self) -> None:
        await self._close_client()
        # Cancelled tasks have not ended yet: stopping the loop now would leave them half done. One
        # that was connecting may have connected all the same: then there are new ones.
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            for task in others - self._closing:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
            await self._close_client()

    async def _close_client(self) -> None:
        client = self._client
        if client is None or client.is_closed:
            return
        # CancelledError: of nats-py's own futures, if the connection is lost meanwhile.
        lost = (TimeoutError, NatsError, OSError, asyncio.CancelledError)
        with contextlib.suppress(*lost):
            if client.is_connected:
                # First see whether the server answers: nats-py waits 10 s to drain to a frozen or
                # unreachable one, cancelled or not.
                await asyncio.wait_for(client.flush(), FLUSH_SECONDS)
                await asyncio.wait_for(client.drain(), DRAIN_SECONDS)
        with contextlib.suppress(*lost):
            await client.close()


def _run_on(loop: asyncio.AbstractEventLoop) -> None:
    """Runs the loop until it is stopped, also after a callback raised SystemExit.

    Otherwise this process would receive nothing more, and callers would wait for NATS forever.
    """
    while True:
        try:
            loop.run_forever()
        except BaseException as error:
            log.critical("event loop interrupted and resumed", exc_info=error)
        else:
            return
