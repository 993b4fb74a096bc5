"""Limits the calls to the price source, counted in Redis for all processes and hosts."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import redis
from limits import RateLimitItem, RateLimitItemPerMinute, RateLimitItemPerMonth
from limits.errors import StorageError
from limits.storage import RedisStorage
from limits.strategies import FixedWindowRateLimiter, MovingWindowRateLimiter

import logs
from quota.planner import Budget

log = logs.get(__name__)

CALLER = "source"
NAMESPACE = "koinx"
POLL_SECONDS = 1.0
REPAIR_LATER_SECONDS = 3600.0  # the reserve for updates shrinks as the month passes


class CallRefused(Exception):
    """The budget allows no call now; the text names the limit.

    `permanent`: an immediate retry is pointless. `retry_after`: seconds until one may succeed.
    """

    def __init__(
        self, reason: str, *, permanent: bool = False, retry_after: float | None = None
    ) -> None:
        super().__init__(reason)
        self.permanent = permanent
        self.retry_after = retry_after


class RedisCounts(RedisStorage):
    """Counts in Redis without Valkey's client (2 MB), which `limits` imports if installed."""

    DEPENDENCIES = {"redis": RedisStorage.DEPENDENCIES["redis"]}  # noqa: RUF012 - as its base


@dataclass(frozen=True)
class CallWindows:
    """A moving minute, and the calendar month in UTC if the budget has a monthly limit."""

    minute: RateLimitItem
    month: RateLimitItem | None

    @classmethod
    def of(cls, budget: Budget) -> "CallWindows":
        """Returns the windows of a budget."""
        minute = RateLimitItemPerMinute(budget.per_minute, namespace=NAMESPACE)
        if budget.per_month is None:
            return cls(minute, None)
        # `limits` forgets after 30 days a month, and a month can have 31.
        return cls(
            minute, RateLimitItemPerMonth(budget.per_month, multiples=2, namespace=NAMESPACE)
        )

    def left(self, storage: RedisStorage, now: datetime) -> tuple[int, int | None]:
        """Returns the calls left in this minute and, if that is limited, in this month."""
        minute = MovingWindowRateLimiter(storage).get_window_stats(self.minute, CALLER).remaining
        if self.month is None:
            return minute, None
        months = FixedWindowRateLimiter(storage)
        return minute, months.get_window_stats(self.month, CALLER, month_name(now)).remaining


def month_name(now: datetime) -> str:
    """Returns the key under which a calendar month's calls are counted."""
    return f"{now:%Y-%m}"


class CallLimiter:
    """Allows a call to the source when the budget permits it; failed calls count as well.

    The minute is a moving one, the month the calendar month in UTC. `reserved_per_minute` and
    `reserved_per_month(now)` are calls for others: repairs leave the live updates theirs. A wait
    of more than `max_wait` seconds is refused.
    """

    def __init__(
        self,
        storage: RedisStorage,
        budget: Budget,
        *,
        reserved_per_minute: int = 0,
        reserved_per_month: Callable[[datetime], int] = lambda _: 0,
        max_wait: float = math.inf,
    ) -> None:
        self._minutes = MovingWindowRateLimiter(storage)
        self._months = FixedWindowRateLimiter(storage)
        self._storage = storage
        self._windows = CallWindows.of(budget)
        self._minute, self._month = self._windows.minute, self._windows.month
        self._reserved_per_minute = reserved_per_minute
        self._reserved_per_month = reserved_per_month
        self._max_wait = max_wait

    def acquire(self, remaining: Callable[[], float]) -> None:
        """Waits until a call is allowed; raises CallRefused if that takes too long.

        `remaining()` returns the seconds left for the work. Without Redis a live update goes on
        uncounted, so that it depends on one server less; work with a reserve for others does not.
        """
        try:
            while (wait := self._wait()) is not None:
                if wait >= min(remaining(), self._max_wait):
                    raise CallRefused(
                        f"{self._minute.amount - self._reserved_per_minute} calls were made within "
                        "a minute: COINGECKO_CALLS_PER_MINUTE",
                        permanent=True,
                        retry_after=wait,
                    )
                time.sleep(min(wait, POLL_SECONDS))
        except (StorageError, redis.RedisError) as error:
            if self._reserved_per_minute:
                raise CallRefused(
                    "Redis, which counts the calls, does not answer", retry_after=60.0
                ) from error
            log.warning("calls to the source are not counted", reason=type(error).__name__)

    def left(self) -> tuple[int, int | None]:
        """Returns the calls left in this minute and, if that is limited, in this month."""
        return self._windows.left(self._storage, _now())

    def windows(self) -> dict[str, tuple[int, int]]:
        """Returns the calls allowed and left, by `minute` and, if that is limited, `month`."""
        minute, month = self.left()
        windows = {"minute": (self._minute.amount, minute)}
        if self._month is not None and month is not None:
            windows["month"] = (self._month.amount, month)
        return windows

    def _wait(self) -> float | None:
        """Takes a call and returns None, or returns the seconds until the next may be allowed."""
        now = _now()
        if self._month is not None:
            reserved = self._reserved_per_month(now)
            if not self._months.test(self._month, CALLER, month_name(now), cost=1 + reserved):
                raise CallRefused(
                    f"none of the {self._month.amount} calls of this month is left"
                    + (f" beyond the {reserved} reserved for updates" if reserved else "")
                    + ": COINGECKO_CALLS_PER_MONTH",
                    permanent=True,
                    retry_after=REPAIR_LATER_SECONDS if self._reserved_per_minute else None,
                )
        if self._reserved_per_minute and not self._minutes.test(
            self._minute, CALLER, cost=1 + self._reserved_per_minute
        ):
            return POLL_SECONDS
        if not self._minutes.hit(self._minute, CALLER):
            reset, _ = self._minutes.get_window_stats(self._minute, CALLER)
            return max(reset - time.time(), 0.01)
        if self._month is not None:
            self._months.hit(self._month, CALLER, month_name(now))
        return None


def _now() -> datetime:
    return datetime.now(UTC)
