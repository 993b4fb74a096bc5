"""Reads finished updates from the ledger once, for all event streams of this process."""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import orjson
from pymongo.errors import PyMongoError

import logs
from api.events.update_waiters import AtCapacity
from api.schemas.events import EndedUpdate
from logs.redaction import plain
from market.ledger.event_log import Document, EventLog

log = logs.get(__name__)

MAX_LISTENERS = 200  # each holds one of the process's 256 threads
CHECK_SECONDS = 1.0  # how often the ledger is checked, in case an announcement is lost
MAX_EVENTS = 256  # in memory; a listener that is further behind reads the ledger
BATCH_SIZE = 100
MAX_REPLAYED = 500


@dataclass(frozen=True, slots=True)
class Event:
    """A finished update: its number, and what is sent; nothing if it was reopened."""

    number: int
    text: bytes


class Broadcaster:
    """Serves events by their numbers. One thread reads the ledger while anybody listens.

    It stores nothing per listener but a place: each listener passes the number it has reached.
    """

    def __init__(self, closings: EventLog, source: str) -> None:
        self._closings = closings
        self._source = source
        self._wake = threading.Event()
        self._changed = threading.Condition()
        self._listeners = 0
        self._thread: threading.Thread | None = None
        self._ended = False
        self._recent: deque[Event] = deque(maxlen=MAX_EVENTS)
        self._before = 0  # the number before the first of the recent events
        self._last: int | None = None  # all events up to this were read; None: none yet

    @property
    def ended(self) -> bool:
        """Whether all listeners must stop."""
        return self._ended

    @contextmanager
    def place(self) -> Iterator[None]:
        """Reserves a listener's place. Raises AtCapacity."""
        with self._changed:
            if self._listeners >= MAX_LISTENERS:
                raise AtCapacity(f"{MAX_LISTENERS} clients are listening to this process already")
            self._listeners += 1
            if self._thread is None:
                self._recent.clear()
                self._last = None
                self._thread = threading.Thread(
                    target=self._follow, name="broadcaster", daemon=True
                )
                self._thread.start()
        try:
            yield
        finally:
            with self._changed:
                self._listeners -= 1
            self._wake.set()

    def start(self, after: int | None) -> tuple[int, str | None]:
        """Returns the number after which a listener begins, and why it is not the one requested.

        None begins now. Raises PyMongoError.
        """
        newest = self._closings.newest()
        if after is None:
            return newest, None
        if after > newest:
            return newest, f"There is no event {after} yet: the newest is {newest}"
        begin = self._closings.start(after, MAX_REPLAYED)
        if begin > after:
            return begin, f"Only the newest {MAX_REPLAYED} are sent, not {after + 1} to {begin}"
        return begin, None

    def after(self, number: int, seconds: float) -> list[Event]:
        """Returns the events after a number as soon as there are any; none after `seconds`."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self._has_after(number), seconds)
            if self._ended or not self._has_after(number):
                return []
            if number >= self._before:
                return [event for event in self._recent if event.number > number]
            before = self._before
        try:
            # An event that can no longer be read must not be waited for.
            return self._read(number) or [Event(before, b"")]
        except PyMongoError as error:
            log.warning("event read failed", reason=plain(error))
            self._pause()
            return []

    def wake(self) -> None:
        """Makes the thread check the ledger now. Does not wait."""
        self._wake.set()

    def end(self) -> None:
        """Ends all listeners because this process ends."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        self._wake.set()

    def _has_after(self, number: int) -> bool:
        return self._last is not None and self._last > number

    def _pause(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._ended, CHECK_SECONDS)

    def _read(self, number: int) -> list[Event]:
        return [
            Event(update["number"], encode(update, self._source) if update["finished_at"] else b"")
            for update in self._closings.after(number, BATCH_SIZE)
        ]

    def _follow(self) -> None:
        while True:
            with self._changed:
                if self._ended or not self._listeners:
                    self._thread = None
                    return
            self._wake.clear()
            try:
                has_more = self._read_new()
            except Exception as error:
                # Without this thread all listeners would wait in vain, so it survives any error.
                reason = f"{type(error).__name__}: {plain(error)}"
                log.warning("event read failed", reason=reason)
                has_more = False
            if not has_more:
                self._wake.wait(CHECK_SECONDS)

    def _read_new(self) -> bool:
        """Reads new events; returns whether there may be more."""
        if self._last is None:
            newest = self._closings.newest()
            with self._changed:
                self._before = self._last = newest
                self._changed.notify_all()
            return True
        found = self._read(self._last)
        with self._changed:
            for event in found:
                if len(self._recent) == MAX_EVENTS:
                    self._before = self._recent[0].number
                self._recent.append(event)
                self._last = event.number
            if found:
                self._changed.notify_all()
        return len(found) == BATCH_SIZE


def encode(update: Document, source: str) -> bytes:
    """Encodes a finished update as a server-sent event."""
    data = orjson.dumps(EndedUpdate().dump(update | {"source": update.get("source") or source}))
    return b"id: %d\nevent: update\ndata: %s\n\n" % (update["number"], data)
