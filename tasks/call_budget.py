"""Limits the calls to the price source that updates and repairs may make, by the settings."""

import math
from collections.abc import Callable
from datetime import datetime, timedelta

from limits.storage import RedisStorage

from market.ingest.chunks import PAGES_PER_RUN
from market.sources.http import Deadline, SourceError
from quota.limiter import CallLimiter, CallRefused
from settings import Settings, calls_per_update, rate

PATIENCE = 3.0
SPARE = 1.1  # some calls of updates fail, and are repeated


def max_pages(settings: Settings) -> int:
    """Returns how many pages a run of an update may fetch without waiting for a call's turn."""
    return min(PAGES_PER_RUN, settings.budget.per_minute) if settings.budget else PAGES_PER_RUN


def for_updates(storage: RedisStorage, settings: Settings) -> Callable[[Deadline], None]:
    """Returns what an update calls before each call: it takes one from the whole budget."""
    if settings.budget is None:
        return _unlimited
    # An update is postponed until there are calls, and blocks no worker till then.
    return _turns(CallLimiter(storage, settings.budget, max_wait=PATIENCE))


def for_repairs(storage: RedisStorage, settings: Settings) -> Callable[[Deadline], None]:
    """Returns what a repair calls before each call: it takes one that no update will need."""
    if settings.budget is None:
        return _unlimited
    each, updates = calls_per_update(settings.selection), rate(settings.cron_schedule)

    def planned(now: datetime) -> int:
        after = (now.replace(day=28) + timedelta(days=4)).replace(day=1)
        share = (after.replace(hour=0, minute=0, second=0) - now) / timedelta(days=31)
        return math.ceil(each * updates.per_month * share * SPARE)

    reserved_per_minute = min(each * updates.per_minute, settings.budget.per_minute - 1)
    calls = CallLimiter(
        storage,
        settings.budget,
        reserved_per_minute=reserved_per_minute,
        reserved_per_month=planned,
    )
    return _turns(calls)


def _unlimited(_: Deadline) -> None:
    return


def _turns(calls: CallLimiter) -> Callable[[Deadline], None]:
    def take(deadline: Deadline) -> None:
        try:
            calls.acquire(deadline.remaining)
        except CallRefused as refused:
            raise SourceError(
                str(refused), permanent=refused.permanent, retry_after=refused.retry_after
            ) from refused

    return take
