"""The durable pull consumer of `crypto.update`, shared by all processes that run one."""

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

AT_ONCE = 16
FOLLOWERS = 4
FETCH_SECONDS = 5.0
PAUSE_SECONDS = 1.0
FIRST_NAK_SECONDS, LONGEST_NAK_SECONDS = 0.5, 2.0
STOP_SECONDS = 8.0
FOLLOW_SECONDS = 2.0
GIVE_BACK_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event as it came: its place in the stream, and when the stream took it."""

    event: UpdateRequested
    sequence: int
    at: datetime


Handler = Callable[[Delivery], Callable[[], None] | None]


class Consumer:
    """Fetches events and hands each to `handler`, in threads, until stopped.

    What the handler returns is called after the acknowledgement. When the handler raises
    MalformedEvent the message is set aside as a dead letter; when it raises anything else the
    message comes again, after a growing pause, for as long as it takes.
    """

    def __init__(
        self, connection: Connection, handler: Handler, database: str | None = None
    ) -> None:
        """`database` names the home that the streams must work for."""
        self._connection = connection
        self._database = database
        self._handler = handler
        self._handlers = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="consumer")
        # Apart from the handlers: what follows the acknowledgement may wait for a frozen server,
        # and must not keep the next events from being taken.
        self._followers = ThreadPoolExecutor(FOLLOWERS, thread_name_prefix="consumed")
        self._following: set[asyncio.Future[None]] = set()
        self._stopping = False
        self._subscription: JetStreamContext.PullSubscription | None = None
        self._waiting: asyncio.Task[Msg] | None = None  # for NATS, and for an event

    def start(self) -> None:
        """Begins to consume, in this process's loop; returns at once, NATS may be down."""
        self._running = self._connection.keep_running(self._run(), "the consumer")

    def stop(self) -> None:
        """Finishes what was fetched, then ends; what was not fetched stays in the stream."""
        self._stopping = True
        self._connection.loop().call_soon_threadsafe(self._interrupt)
        with contextlib.suppress(TimeoutError):
            self._running.result(STOP_SECONDS)
        for threads in (self._handlers, self._followers):
            threads.shutdown(wait=False, cancel_futures=True)

    def _interrupt(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()

    async def _run(self) -> None:
        places = asyncio.Semaphore(AT_ONCE)
        taken: set[asyncio.Task[None]] = set()
        while not self._stopping:
            await places.acquire()
            self._waiting = asyncio.ensure_future(self._next())
            try:
                message = await self._waiting
            except asyncio.CancelledError:
                if is_cancelled():
                    raise  # the connection is being closed
                places.release()
            except Exception:
                places.release()  # an idle stream, or what `_next` has logged
            else:
                task = asyncio.create_task(self._take(message))
                taken.add(task)
                task.add_done_callback(taken.discard)
                task.add_done_callback(lambda _: places.release())
        await asyncio.gather(*taken)
        if self._following:
            await asyncio.wait(self._following, timeout=FOLLOW_SECONDS)
        if self._subscription is not None:
            with contextlib.suppress(NatsError, OSError):
                await self._give_back(self._subscription)
                await self._subscription.unsubscribe()

    async def _next(self) -> Msg:
        """The next event; TimeoutError when none came. Stopping ends all its waits."""
        try:
            if self._subscription is None:
                self._subscription = await self._subscribe(await self._connection.client())
            # One at a time: a fetch of more waits for all of them until its time is over, holding
            # those that came, once `max_ack_pending` lets no more through (16 events in 5 s).
            [message] = await self._subscription.fetch(1, timeout=FETCH_SECONDS)
        except TimeoutError:
            raise
        except (Exception, asyncio.CancelledError) as error:
            if is_cancelled():
                raise
            # Whatever it was: a consumer that ended would leave this process deaf without a word.
            log.warning("the consumer failed; trying again", reason=plain(error))
            self._subscription = None
            await asyncio.sleep(PAUSE_SECONDS)
            raise
        return message

    async def _subscribe(self, client: Client) -> JetStreamContext.PullSubscription:
        js = client.jetstream()
        # Bound to a durable that is not there, it would wait for ever: a NATS that lost its data
        # gets its streams again.
        await streams.prepare(client, self._database)
        return await js.pull_subscribe_bind(consumer=CONSUMER, stream=EVENTS)

    async def _give_back(self, subscription: JetStreamContext.PullSubscription) -> None:
        """Lets another have what came to the fetch that was broken off, without its `ack_wait`."""
        with contextlib.suppress(TimeoutError):
            for message in await subscription.fetch(1, timeout=GIVE_BACK_SECONDS):
                await message.nak()

    async def _take(self, message: Msg) -> None:
        try:
            await self._handle(message)
        except Exception as error:
            # Not acknowledged, it comes again by itself.
            log.warning("the event failed", reason=plain(error))

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
                await self._set_aside(message, sequence, at, str(error))
                return
            await message.ack_sync(timeout=2)
        except Exception as error:
            pause = pause_after(metadata.num_delivered or 1)
            log.warning("the event failed", again_in=pause, reason=plain(error), **about)
            await message.nak(delay=pause)
            return
        if after is not None:
            following = loop.run_in_executor(self._followers, _call, after)
            self._following.add(following)
            following.add_done_callback(self._following.discard)

    async def _set_aside(self, message: Msg, sequence: int, at: datetime, reason: str) -> None:
        log.warning("the event is set aside", sequence=sequence, reason=reason)
        # First kept, then ended: a crash between makes it come again, and its id makes it one.
        client = await self._connection.client()
        await dead_letters.put(client, message.data, sequence=sequence, at=at, reason=reason)
        await message.term()


def pause_after(deliveries: int) -> float:
    """Seconds until an event that failed comes again.

    Short to the end: what fails is the ledger, and one that is back shall have its events at once.
    A try takes 3 s while it is out of reach, and 16 events at most are tried.
    """
    return min(LONGEST_NAK_SECONDS, FIRST_NAK_SECONDS * deliveries)


def _call(after: Callable[[], None]) -> None:
    try:
        after()
    except Exception as error:
        # The event is in the ledger: whoever sweeps it goes on from there.
        log.warning("what follows the acknowledgement failed", reason=plain(error))
