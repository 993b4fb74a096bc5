"""Watches the database for updates that no event announced.

The response cache learns of a finished update in two ways. `UpdateConsumer` clears it when NATS
announces the update; `UpdateWatcher` finds within half a second what NATS did not announce.
"""

import threading
import time
from datetime import UTC, datetime

from pymongo.errors import PyMongoError

import logs
from api.cache.response_cache import ResponseCache
from logs.redaction import plain
from market.ledger.event_log import EventLog
from market.ledger.ledger import Ledger
from market.schedule.slots import Schedule

log = logs.get(__name__)

CHECK_SECONDS = 0.5
TRUST_SECONDS = 2.0  # after the last check that succeeded; then the cache serves nothing


class UpdateWatcher:
    """Checks the ledger for finished updates: twice a second once started, else when asked.

    Two threads may check at once; they learn the same.
    """

    def __init__(
        self, closings: EventLog, ledger: Ledger, schedule: Schedule, cache: ResponseCache
    ) -> None:
        self._closings = closings
        self._ledger = ledger
        self._schedule = schedule
        self._cache = cache
        self._newest: int | None = None
        # The slot whose update is done, and the slot after it
        self._done: tuple[datetime, datetime] | None = None
        self._slot_checked = float("-inf")

    def start(self) -> None:
        """Checks in a thread of its own; returns at once.

        While the ledger cannot be read, the cache is not trusted: MongoDB itself then answers, or
        refuses, every request.
        """
        threading.Thread(target=self._watch, name="update-watcher", daemon=True).start()

    def next_update(self, now: datetime) -> datetime | None:
        """Returns when new quotes are due: at the next slot, or None while this slot's are awaited.

        Ask before reading the quotes: otherwise those stored in between would be missed. Raises
        what MongoDB raises.
        """
        done = self._done
        if done is not None and done[0] <= now < done[1]:
            return done[1]
        if time.monotonic() - self._slot_checked < CHECK_SECONDS:
            return None
        self._slot_checked = time.monotonic()
        slot = self._schedule.current(now)
        update = self._ledger.get(self._schedule.name(slot))
        if update is None or update["state"] != "done":
            return None
        self._done = (slot, self._schedule.following(slot))
        return self._done[1]

    def _watch(self) -> None:
        while True:
            started = time.monotonic()
            try:
                self._check()
            except PyMongoError as error:
                log.debug("ledger check failed", reason=plain(error))
            except Exception as error:
                # Without this thread nothing would be cached any more, so it survives any error.
                log.warning("ledger check failed", reason=plain(error))
            else:
                self._cache.trust(started + TRUST_SECONDS)
            time.sleep(CHECK_SECONDS)

    def _check(self) -> None:
        newest = self._closings.newest()
        if newest != self._newest:
            self._newest = newest
            self._cache.clear()
        self.next_update(datetime.now(UTC))
