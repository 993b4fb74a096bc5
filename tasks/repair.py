"""Repairs history: finds what is missing, and fills it from the source's charts."""

import time
from datetime import UTC, datetime

import redis
from redis.lock import Lock

import logs
from market.gap_repair.worker import RETRY_SECONDS, run_repair
from market.ledger.claims import LeaseLost
from market.sources.http import SourceError
from tasks import worker_shutdown
from tasks.app import app
from tasks.dependencies import get_services

log = logs.get(__name__)

RUN_SECONDS = 20.0
LOCK = "koinx:repair"
LOCK_SECONDS = 120.0  # longer than a run with its last chart


@app.task(name="tasks.repair.plan", time_limit=60, soft_time_limit=50)
def plan() -> int:
    """Requests repairs of what is missing; returns how many are new."""
    services = get_services()
    count = services.planner.run(services.settings.selection.ids, datetime.now(UTC))
    if count:
        log.info("repairs requested", count=count)
    return count


@app.task(name="tasks.repair.mend", time_limit=110, soft_time_limit=100)
def mend() -> int:
    """Runs repairs for up to 20 s, unless another process does or they are paused.

    Returns how many ended. One process at a time in the whole system: the calls are limited anyway,
    and the other workers are for updates. After a failure the source is not called for 5 minutes,
    or for as long as it asks.
    """
    services = get_services()
    if services.repairs.paused_since():
        return 0
    lock = services.redis.lock(LOCK, timeout=LOCK_SECONDS, blocking=False)
    if not lock.acquire():
        return 0
    count, end, wait = 0, time.monotonic() + RUN_SECONDS, 0.0
    try:
        while (
            time.monotonic() < end
            and not worker_shutdown.has_begun()
            and not services.room.shortage()
            and not services.repairs.paused_since()
            and (repair := services.repairs.claim()) is not None
        ):
            run_repair(
                repair,
                repairs=services.repairs,
                history=services.history,
                charts=services.charts,
                schedule=services.schedule,
                currency=services.settings.currency,
                label=services.settings.source,
            )
            count += 1
    except LeaseLost as lost:
        log.warning("lease lost", reason=str(lost))
    except SourceError as error:
        log.info("repairs postponed", reason=str(error))
        wait = error.retry_after or RETRY_SECONDS
    finally:
        _release(lock, wait)
    return count


def _release(lock: Lock, wait: float) -> None:
    """Lets the next run have the lock, at once or after so many seconds."""
    try:
        if wait:
            lock.extend(wait, replace_ttl=True)
        else:
            lock.release()
    except redis.RedisError as error:
        log.warning("repair lock left to expire", reason=type(error).__name__)
