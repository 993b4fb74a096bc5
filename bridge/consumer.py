"""Consumes `crypto.update` with a durable pull consumer that all processes share."""

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js import JetStreamContext

import logs
from bridge import dead_letters, streams
from bridge.connection import Connection, is_cancelled
from bridge.events import MalformedEvent, UpdateRequested
from bridge.streams import CONSUMER, EVENTS
from logs.redaction import plain

log = logs.get(__name__)

MAX_CONCURRENT = 16
FOLLOW_UP_THREADS = 4
FETCH_SECONDS = 5.0
PAUSE_SECONDS = 1.0
FIRST_NAK_SECONDS, LONGEST_NAK_SECONDS = 0.5, 2.0
STOP_SECONDS = 8.0
FOLLOW_UP_SECONDS = 2.0
RETURN_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Delivery:
    """A received event: its sequence in the stream, and when the stream stored it."""

    event: UpdateRequested
    sequence: int
    at: datetime


Handler = Callable[[Delivery], Callable[[], None] | None]


class Consumer:
    """Fetches events and passes each to `handler`, in threads, until stopped.

    The function that the handler returns is called after the acknowledgement. If the handler raises
    MalformedEvent, the message becomes a dead letter. If it raises anything else, the message is
    delivered again after a growing pause, for as long as it takes.
    """

    def __init__(
        self, connection: Connection, handler: Handler, database: str | None = None
    ) -> None:
        """`database` names the home that must own the streams."""
        self._connection = connection
        self._database = database
        self._handler = handler
        self._handlers = ThreadPoolExecutor(MAX_CONCURRENT, thread_name_prefix="consumer")
        # Separate threads: a follow-up may wait for a frozen server, and must not delay the next
        # events.
        self._follow_ups = ThreadPoolExecutor(FOLLOW_UP_THREADS, thread_name_prefix="follow-up")
        self._running_follow_ups: set[asyncio.Future[None]] = set()
        self._stopping = False
        self._subscription: JetStreamContext.PullSubscription | None = None
        self._waiting: asyncio.Task[Msg] | None = None  # for NATS or an event

    def start(self) -> None:
        """Starts to consume in this process's loop; returns at once, even if NATS is down."""
        self._running = self._connection.keep_running(self._run(), "consumer")

    def stop(self) -> None:
        """Finishes the fetched events, then stops; the others stay in the stream."""
        self._stopping = True
        self._connection.loop().call_soon_threadsafe(self._interrupt)
        with contextlib.suppress(TimeoutError):
            self._running.result(STOP_SECONDS)
        for threads in (self._handlers, self._follow_ups):
            threads.shutdown(wait=False, cancel_futures=True)

    def _interrupt(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()

    async def _run(self) -> None:
        permits = asyncio.Semaphore(MAX_CONCURRENT)
        tasks: set[asyncio.Task[None]] = set()
        while not self._stopping:
            await permits.acquire()
            self._waiting = asyncio.ensure_future(self._next())
            try:
                message = await self._waiting
            except asyncio.CancelledError:
                if is_cancelled():
                    raise  # the connection is being closed
                permits.release()
            except Exception:
                permits.release()  # an idle stream, or an error that `_next` has logged
            else:
                task = asyncio.create_task(self._take(message))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
                task.add_done_callback(lambda _: permits.release())
        await asyncio.gather(*tasks)
        if self._running_follow_ups:
            await asyncio.wait(self._running_follow_ups, timeout=FOLLOW_UP_SECONDS)
        if self._subscription is not None:
            with contextlib.suppress(NatsError, OSError):
                await self._return_fetched(self._subscription)
                await self._subscription.unsubscribe()

    async def _next(self) -> Msg:
        """Returns the next event; raises TimeoutError if none came. Stopping ends all its waits."""
        try:
            if self._subscription is None:
                self._subscription = await self._subscribe(await self._connection.client())
            # One at a time: once `max_ack_pending` is reached, a fetch of more holds its events
            # until its timeout (16 events in 5 s).
            [message] = await self._subscription.fetch(1, timeout=FETCH_SECONDS)
        except TimeoutError:
            raise
        except (Exception, asyncio.CancelledError) as error:
            if is_cancelled():
                raise
            # Any error: a consumer that ended would silently leave this process without events.
            log.warning("consumer failed, retrying", reason=plain(error))
            self._subscription = None
            await asyncio.sleep(PAUSE_SECONDS)
            raise
        return message

    async def _subscribe(self, client: Client) -> JetStreamContext.PullSubscription:
        js = client.jetstream()
        # Without its durable the subscription would wait forever, so a NATS that lost its data
        # gets its streams again.
        await streams.prepare(client, self._database)
        return await js.pull_subscribe_bind(consumer=CONSUMER, stream=EVENTS)

    async def _return_fetched(self, subscription: JetStreamContext.PullSubscription) -> None:
        """Returns events that reached the interrupted fetch, so that others get them at once."""
        with contextlib.suppress(TimeoutError):
            for message in await subscription.fetch(1, timeout=RETURN_SECONDS):
                await message.nak()

    async def _take(self, message: Msg) -> None:
        try:
            await self._handle(message)
        except Exception as error:
            # Not acknowledged, it is delivered again.
            log.warning("event failed", reason=plain(error))

    async def _handle(self, message: Msg) -> None:
        loop = asyncio.get_running_loop()
        metadata = message.metadata
        sequence, at = metadata.sequence.stream, metadata.timestamp.astimezone(UTC)
        about: dict[str, object] = {"sequence": sequence}
        try:
            try:
                event = UpdateRequested.decode(message.data)
                about["update"] = event.id
                delivery = Delivery(event, sequence, at)
                after = await loop.run_in_executor(self._handlers, self._handler, delivery)
            except MalformedEvent as error:
                await self._dead_letter(message, sequence, at, str(error))
                return
            await message.ack_sync(timeout=2)
        except Exception as error:
            pause = pause_after(metadata.num_delivered or 1)
            log.warning("event failed, retrying", retry_in=pause, reason=plain(error), **about)
            await message.nak(delay=pause)
            return
        if after is not None:
            following = loop.run_in_executor(self._follow_ups, _call, after)
            self._running_follow_ups.add(following)
            following.add_done_callback(self._running_follow_ups.discard)

    async def _dead_letter(self, message: Msg, sequence: int, at: datetime, reason: str) -> None:
        log.warning("event dead-lettered", sequence=sequence, reason=reason)
        # Stored before terminated: after a crash in between it is delivered and stored again, under
        # the same id.
        client = await self._connection.client()
        await dead_letters.put(client, message.data, sequence=sequence, at=at, reason=reason)
        await message.term()


def pause_after(deliveries: int) -> float:
    """Returns the seconds until a failed event is delivered again.

    The pause stays short: the ledger is what fails, and should get its events once it is back.
    An attempt takes 3 s while it is unreachable, and at most 16 events are attempted.
    """
    return min(LONGEST_NAK_SECONDS, FIRST_NAK_SECONDS * deliveries)


def _call(after: Callable[[], None]) -> None:
    try:
        after()
    except Exception as error:
        # The event is in the ledger, so the sweeper continues from there.
        log.warning("follow-up of an event failed", reason=plain(error))
