"""Mends history: finds what is missing, and fills it from the source's charts."""

import time
from datetime import UTC, datetime

import redis
from redis.lock import Lock

import logs
from market.gap_repair.worker import REST_SECONDS, carry_out
from market.ledger.ledger import LeaseLost
from market.sources.http import SourceError
from tasks import worker_shutdown
from tasks.app import app
from tasks.dependencies import services

log = logs.get(__name__)

RUN_SECONDS = 20.0
LOCK = "koinx:repair"
LOCK_SECONDS = 120.0  # longer than a run with its last chart


@app.task(name="tasks.repair.plan", time_limit=60, soft_time_limit=50)
def plan() -> int:
    """Wants repairs of what is missing by now; the number of new ones."""
    on = services()
    count = on.planner.run(on.settings.selection.ids, datetime.now(UTC))
    if count:
        log.info("repairs are wanted", count=count)
    return count


@app.task(name="tasks.repair.mend", time_limit=110, soft_time_limit=100)
def mend() -> int:
    """Carries out repairs for up to 20 s, unless another process does, or they are paused.

    Returns the number ended.

    One at a time in the whole system: the calls are bounded anyway, and updates keep the workers.
    A source that fails is left alone for 5 minutes, or for as long as it asks to be.
    """
    on = services()
    if on.pause.since():
        return 0
    lock = on.redis.lock(LOCK, timeout=LOCK_SECONDS, blocking=False)
    if not lock.acquire():
        return 0
    count, end = 0, time.monotonic() + RUN_SECONDS
    try:
        while (
            time.monotonic() < end
            and not worker_shutdown.has_begun()
            and not on.room.shortage()
            and not on.pause.since()
            and (repair := on.repairs.claim()) is not None
        ):
            carry_out(
                repair,
                repairs=on.repairs,
                history=on.history,
                charts=on.charts,
                schedule=on.schedule,
                currency=on.settings.currency,
                label=on.settings.source,
            )
            count += 1
    except LeaseLost as lost:
        log.warning("the lease is lost", reason=str(lost))
        _leave(lock)
    except SourceError as error:
        log.info("repairs wait", reason=str(error))
        _leave(lock, error.retry_after or REST_SECONDS)
    except BaseException:
        _leave(lock)
        raise
    else:
        _leave(lock)
    return count


def _leave(lock: Lock, after: float = 0) -> None:
    """Lets the next run have the lock, at once or after so many seconds."""
    try:
        if after:
            lock.extend(after, replace_ttl=True)
        else:
            lock.release()
    except redis.RedisError as error:
        log.warning("the lock of repairs ends by itself", reason=type(error).__name__)
