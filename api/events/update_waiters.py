"""Requests that wait for an update to end: bounded in number and in time."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

MAX_WAITING_REQUESTS = 16  # what waits holds a thread
LOOK_SECONDS = 0.5  # how often the ledger is looked at, should the news be lost


class AtCapacity(Exception):
    """As many requests as may wait are waiting already."""


class UpdateWaiters:
    """Joins requests in this process to the news that their update ended."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0
        self._news: dict[str, threading.Event] = defaultdict(threading.Event)

    @contextmanager
    def place(self, update_id: str) -> Iterator[threading.Event]:
        """A place to wait for one update; taken before it is asked for. Raises AtCapacity."""
        with self._lock:
            if self._count >= MAX_WAITING_REQUESTS:
                raise AtCapacity(
                    f"{MAX_WAITING_REQUESTS} requests are waiting for an update already"
                )
            self._count += 1
            event = self._news[update_id]
        try:
            yield event
        finally:
            with self._lock:
                self._count -= 1
                self._news.pop(update_id, None)

    def tell(self, update_id: str) -> None:
        """Wakes whoever waits for this update."""
        with self._lock:
            event = self._news.get(update_id)
        if event is not None:
            event.set()


def wait_until_finished(
    look: Callable[[], dict[str, Any] | None], news: threading.Event, seconds: float
) -> dict[str, Any] | None:
    """The update once it is closed, or None when it was not closed in time."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        if news.wait(min(LOOK_SECONDS, left)):
            news.clear()
        update = look()
        if update is not None and update["finished_at"] is not None:
            return update
    return None
