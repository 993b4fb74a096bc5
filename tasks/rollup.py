"""Rolls up what is older than a setting, and deletes what is older than the retention."""

import logging
import time
from collections import Counter

from redis.exceptions import LockError

from logs.redaction import plain
from market.schedule.clock import server_time
from market.storage.compaction import compact
from tasks import worker_shutdown
from tasks.app import app
from tasks.dependencies import services

log = logging.getLogger(__name__)

RUN_SECONDS = 60.0
LOCK = "koinx:rollup"
LOCK_SECONDS = 170.0  # longer than a run


@app.task(name="tasks.rollup.roll_up", time_limit=160, soft_time_limit=150)
def roll_up() -> int:
    """Does steps for up to 60 s, unless another process does; how many.

    One at a time in the whole system, to spare the work: two at once would do no harm. The next
    run goes on where this one ended.
    """
    on = services()
    lock = on.redis.lock(LOCK, timeout=LOCK_SECONDS, blocking=False)
    if on.room.shortage() or not lock.acquire():
        return 0
    done: Counter[str] = Counter()
    try:
        end = time.monotonic() + RUN_SECONDS
        for what in on.archive.steps(
            server_time(on.database),
            rollup_after=on.settings.rollup_after,
            retention=on.settings.retention,
        ):
            done[what] += 1
            if worker_shutdown.has_begun() or time.monotonic() > end:
                break
        else:
            # Not before all is done: what is still to be deleted makes more room.
            if on.settings.retention and (given := compact(on.database)):
                log.info("%d MB of disk space are given back", given // 1_000_000)
    finally:
        try:
            lock.release()
        except LockError as error:
            log.warning("the lock of rollups ended by itself: %s", plain(error))
    if done:
        log.info("steps: %s", ", ".join(f"{count} {what}" for what, count in done.items()))
    return done.total()
