"""Rolls up quotes older than ROLLUP_AFTER, and deletes those older than RETENTION."""

import logging
import time
from collections import Counter

from redis.exceptions import LockError

from logs.redaction import plain
from market.schedule.clock import server_time
from market.storage.compaction import compact
from tasks import worker_shutdown
from tasks.app import app
from tasks.dependencies import get_services

log = logging.getLogger(__name__)

RUN_SECONDS = 60.0
LOCK = "koinx:rollup"
LOCK_SECONDS = 170.0  # longer than a run


@app.task(name="tasks.rollup.roll_up", time_limit=160, soft_time_limit=150)
def roll_up() -> int:
    """Runs steps for up to 60 s, unless another process does; returns how many.

    One process at a time in the whole system, to save work: two would do no harm. The next run
    continues where this one ended.
    """
    services = get_services()
    lock = services.redis.lock(LOCK, timeout=LOCK_SECONDS, blocking=False)
    if services.room.shortage() or not lock.acquire():
        return 0
    done: Counter[str] = Counter()
    try:
        end = time.monotonic() + RUN_SECONDS
        for what in services.archive.steps(
            server_time(services.database),
            rollup_after=services.settings.rollup_after,
            retention=services.settings.retention,
        ):
            done[what] += 1
            if worker_shutdown.has_begun() or time.monotonic() > end:
                break
        else:
            # Only when all is done: what is still to be deleted frees more space.
            if services.settings.retention and (given := compact(services.database)):
                log.info("%d MB of disk space are given back", given // 1_000_000)
    finally:
        try:
            lock.release()
        except LockError as error:
            log.warning("the lock of rollups ended by itself: %s", plain(error))
    if done:
        log.info("steps: %s", ", ".join(f"{count} {what}" for what, count in done.items()))
    return done.total()
