"""Lets requests wait for an update to finish, bounded in number and time."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

MAX_WAITING_REQUESTS = 16  # each holds a thread
CHECK_SECONDS = 0.5  # how often the ledger is checked, in case the event is lost


class AtCapacity(Exception):
    """As many requests as allowed are waiting or streaming already."""


class UpdateWaiters:
    """Wakes the requests of this process when their update finishes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0
        self._finished: dict[str, threading.Event] = defaultdict(threading.Event)

    @contextmanager
    def place(self, update_id: str) -> Iterator[threading.Event]:
        """Reserves a place to wait for one update, before it is requested. Raises AtCapacity."""
        with self._lock:
            if self._count >= MAX_WAITING_REQUESTS:
                raise AtCapacity(
                    f"{MAX_WAITING_REQUESTS} requests are waiting for an update already"
                )
            self._count += 1
            finished = self._finished[update_id]
        try:
            yield finished
        finally:
            with self._lock:
                self._count -= 1
                self._finished.pop(update_id, None)

    def notify(self, update_id: str) -> None:
        """Wakes the request that waits for this update."""
        with self._lock:
            finished = self._finished.get(update_id)
        if finished is not None:
            finished.set()


def wait_until_finished(
    read: Callable[[], dict[str, Any] | None], finished: threading.Event, seconds: float
) -> dict[str, Any] | None:
    """Returns the update once it has finished, or None if it has not within `seconds`."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        if finished.wait(min(CHECK_SECONDS, left)):
            finished.clear()
        update = read()
        if update is not None and update["finished_at"] is not None:
            return update
    return None
