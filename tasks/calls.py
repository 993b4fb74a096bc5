"""The calls to the source, counted in Redis for all processes and hosts together."""

import math
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import redis
from limits.errors import StorageError
from limits.storage import RedisStorage
from limits.strategies import FixedWindowRateLimiter, MovingWindowRateLimiter

import logbook
from market.http_source import Deadline, SourceError
from market.runs import PAGES
from settings import Budget, Settings, calls_an_update, rate
from settings.windows import WHO, Windows, month_name

log = logbook.get(__name__)

LOOK_AGAIN_SECONDS = 1.0
PATIENCE = 3.0
REPAIR_LATER_SECONDS = 3600.0  # as updates are made, fewer calls are kept for the rest of the month
SPARE = 1.1  # some calls of updates fail, and are made again


class Calls:
    """Lets a call to the source go when the budget allows it: failed calls count as well.

    The minute is a moving one, the month the calendar's, in UTC. `kept_a_minute` and
    `kept_a_month(now)` are calls that are kept for others: a repair leaves the live updates
    theirs. A turn that is further off than `patience` (seconds) is not waited for.
    """

    def __init__(
        self,
        storage: RedisStorage,
        budget: Budget,
        *,
        kept_a_minute: int = 0,
        kept_a_month: Callable[[datetime], int] = lambda _: 0,
        patience: float = math.inf,
    ) -> None:
        self._minutes = MovingWindowRateLimiter(storage)
        self._months = FixedWindowRateLimiter(storage)
        self._storage = storage
        self._windows = Windows.of(budget)
        self._minute, self._month = self._windows.minute, self._windows.month
        self._kept_a_minute = kept_a_minute
        self._kept_a_month = kept_a_month
        self._patience = patience

    def take(self, deadline: Deadline) -> None:
        """Waits for a call's turn, within the deadline; raises SourceError when it is not near.

        Without Redis a live update goes on uncounted, since it depends on one server less then;
        what leaves calls to others does not.
        """
        try:
            while (wait := self._wait()) is not None:
                if wait >= min(deadline.remaining(), self._patience):
                    raise SourceError(
                        f"{self._minute.amount - self._kept_a_minute} calls were made within a "
                        "minute: COINGECKO_CALLS_PER_MINUTE",
                        permanent=True,
                        retry_after=wait,
                    )
                time.sleep(min(wait, LOOK_AGAIN_SECONDS))
        except (StorageError, redis.RedisError) as error:
            if self._kept_a_minute:
                raise SourceError(
                    "Redis, which counts the calls, does not answer", retry_after=60.0
                ) from error
            log.warning("calls to the source are not counted", reason=type(error).__name__)

    def left(self) -> tuple[int, int | None]:
        """Calls left in this minute and, where there is such a limit, in this month."""
        return self._windows.left(self._storage, _now())

    def windows(self) -> dict[str, tuple[int, int]]:
        """The calls allowed, and those left, by `minute` and, where it is limited, `month`."""
        minute, month = self.left()
        found = {"minute": (self._minute.amount, minute)}
        if self._month is not None and month is not None:
            found["month"] = (self._month.amount, month)
        return found

    def _wait(self) -> float | None:
        """Takes a call; None when it was to be had, else the seconds until the next may be."""
        now = _now()
        if self._month is not None:
            kept = self._kept_a_month(now)
            if not self._months.test(self._month, WHO, month_name(now), cost=1 + kept):
                raise SourceError(
                    f"of the {self._month.amount} calls of this month none is left"
                    + (f" beside the {kept} kept for updates" if kept else "")
                    + ": COINGECKO_CALLS_PER_MONTH",
                    permanent=True,
                    retry_after=REPAIR_LATER_SECONDS if self._kept_a_minute else None,
                )
        if self._kept_a_minute and not self._minutes.test(
            self._minute, WHO, cost=1 + self._kept_a_minute
        ):
            return LOOK_AGAIN_SECONDS
        if not self._minutes.hit(self._minute, WHO):
            reset, _ = self._minutes.get_window_stats(self._minute, WHO)
            return max(reset - time.time(), 0.01)
        if self._month is not None:
            self._months.hit(self._month, WHO, month_name(now))
        return None


def pages_at_once(settings: Settings) -> int:
    """How many pages a run of an update may ask for, without waiting for a call's turn."""
    return min(PAGES, settings.budget.per_minute) if settings.budget else PAGES


def for_updates(storage: RedisStorage, settings: Settings) -> Callable[[Deadline], None]:
    """What an update's calls go through: the whole budget, or nothing where there is none."""
    if settings.budget is None:
        return _unlimited
    # An update goes on when there are calls, and holds no worker till then.
    return Calls(storage, settings.budget, patience=PATIENCE).take


def for_repairs(storage: RedisStorage, settings: Settings) -> Callable[[Deadline], None]:
    """What a repair's calls go through: what the updates of this minute and month leave over."""
    if settings.budget is None:
        return _unlimited
    each, updates = calls_an_update(settings.selection), rate(settings.cron_schedule)

    def planned(now: datetime) -> int:
        after = (now.replace(day=28) + timedelta(days=4)).replace(day=1)
        share = (after.replace(hour=0, minute=0, second=0) - now) / timedelta(days=31)
        return math.ceil(each * updates.a_month * share * SPARE)

    kept_a_minute = min(each * updates.a_minute, settings.budget.per_minute - 1)
    calls = Calls(storage, settings.budget, kept_a_minute=kept_a_minute, kept_a_month=planned)
    return calls.take


def _unlimited(_: Deadline) -> None:
    return


def _now() -> datetime:
    return datetime.now(UTC)
