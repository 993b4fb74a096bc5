"""Follows the updates that end, once for all who listen at this process."""

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
LOOK_SECONDS = 1.0  # how often the ledger is looked at, should the news be lost
KEPT = 256  # events in memory; whoever is further behind reads the ledger
BATCH_SIZE = 100
MAX_REPLAYED = 500


@dataclass(frozen=True, slots=True)
class Event:
    """The end of an update: its number, and what is sent; nothing if it was opened again."""

    number: int
    text: bytes


class Broadcaster:
    """Events by their numbers. One thread reads the ledger, while anybody listens.

    A listener has nothing here but a place: it says up to which number it has sent all.
    """

    def __init__(self, closings: EventLog, source: str) -> None:
        self._closings = closings
        self._source = source
        self._news = threading.Event()
        self._changed = threading.Condition()
        self._listeners = 0
        self._thread: threading.Thread | None = None
        self._ended = False
        self._recent: deque[Event] = deque(maxlen=KEPT)
        self._before = 0  # the number before the first of the recent ones
        self._last: int | None = None  # all up to this were read; None: nothing yet

    @property
    def ended(self) -> bool:
        """Whether everybody is to stop listening."""
        return self._ended

    @contextmanager
    def place(self) -> Iterator[None]:
        """A listener's place. Raises AtCapacity."""
        with self._changed:
            if self._listeners >= MAX_LISTENERS:
                raise AtCapacity(f"{MAX_LISTENERS} listen at this process already")
            self._listeners += 1
            if self._thread is None:
                self._recent.clear()
                self._last = None
                self._thread = threading.Thread(target=self._follow, name="feed", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._changed:
                self._listeners -= 1
            self._news.set()

    def start(self, after: int | None) -> tuple[int, str | None]:
        """The number after which a listener begins, and why that is not the one it asked for.

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
        """The events after a number, as soon as there are any; none when `seconds` are over."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self._has_after(number), seconds)
            if self._ended or not self._has_after(number):
                return []
            if number >= self._before:
                return [event for event in self._recent if event.number > number]
            before = self._before
        try:
            # An end that nobody can read any more is no reason to wait for it.
            return self._read(number) or [Event(before, b"")]
        except PyMongoError as error:
            log.warning("events cannot be read", reason=plain(error))
            self._pause()
            return []

    def wake(self) -> None:
        """There is news: the ledger is looked at now. Does not wait."""
        self._news.set()

    def end(self) -> None:
        """Sends all listeners away: this process ends."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        self._news.set()

    def _has_after(self, number: int) -> bool:
        return self._last is not None and self._last > number

    def _pause(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._ended, LOOK_SECONDS)

    def _read(self, number: int) -> list[Event]:
        return [
            Event(update["number"], encoded(update, self._source) if update["finished_at"] else b"")
            for update in self._closings.after(number, BATCH_SIZE)
        ]

    def _follow(self) -> None:
        while True:
            with self._changed:
                if self._ended or not self._listeners:
                    self._thread = None
                    return
            self._news.clear()
            try:
                has_more = self._look()
            except Exception as error:
                # Whatever it was: without this thread everybody would wait in vain.
                reason = f"{type(error).__name__}: {plain(error)}"
                log.warning("events cannot be followed", reason=reason)
                has_more = False
            if not has_more:
                self._news.wait(LOOK_SECONDS)

    def _look(self) -> bool:
        """Reads what is new; whether there may be more."""
        if self._last is None:
            newest = self._closings.newest()
            with self._changed:
                self._before = self._last = newest
                self._changed.notify_all()
            return True
        found = self._read(self._last)
        with self._changed:
            for event in found:
                if len(self._recent) == KEPT:
                    self._before = self._recent[0].number
                self._recent.append(event)
                self._last = event.number
            if found:
                self._changed.notify_all()
        return len(found) == BATCH_SIZE


def encoded(update: Document, source: str) -> bytes:
    """An update that ended as it goes over the wire."""
    data = orjson.dumps(EndedUpdate().dump(update | {"source": update.get("source") or source}))
    return b"id: %d\nevent: update\ndata: %s\n\n" % (update["number"], data)
