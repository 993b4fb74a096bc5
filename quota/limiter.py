"""The calls to the price source, counted in Redis for all processes and hosts together."""

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

WHO = "source"
SPACE = "koinx"
LOOK_AGAIN_SECONDS = 1.0
REPAIR_LATER_SECONDS = 3600.0  # as updates are made, fewer calls are kept for the rest of the month


class CallRefused(Exception):
    """No call may be made now; the text names the limit.

    `permanent`: asking again at once changes nothing. `retry_after`: seconds until it may be.
    """

    def __init__(
        self, reason: str, *, permanent: bool = False, retry_after: float | None = None
    ) -> None:
        super().__init__(reason)
        self.permanent = permanent
        self.retry_after = retry_after


class RedisCounts(RedisStorage):
    """Does without Valkey's client, which `limits` imports wherever it is installed: 2 MB."""

    DEPENDENCIES = {"redis": RedisStorage.DEPENDENCIES["redis"]}  # noqa: RUF012 - as its base


@dataclass(frozen=True)
class Windows:
    """A moving minute, and the calendar's month in UTC where the budget has such a limit."""

    minute: RateLimitItem
    month: RateLimitItem | None

    @classmethod
    def of(cls, budget: Budget) -> "Windows":
        """Those of a budget."""
        minute = RateLimitItemPerMinute(budget.per_minute, namespace=SPACE)
        if budget.per_month is None:
            return cls(minute, None)
        # `limits` forgets after 30 days a month, and a month can have 31.
        return cls(minute, RateLimitItemPerMonth(budget.per_month, multiples=2, namespace=SPACE))

    def left(self, storage: RedisStorage, now: datetime) -> tuple[int, int | None]:
        """Calls left in this minute and, where there is such a limit, in this month."""
        minute = MovingWindowRateLimiter(storage).get_window_stats(self.minute, WHO).remaining
        if self.month is None:
            return minute, None
        months = FixedWindowRateLimiter(storage)
        return minute, months.get_window_stats(self.month, WHO, month_name(now)).remaining


def month_name(now: datetime) -> str:
    """The calendar's month, as its calls are counted under."""
    return f"{now:%Y-%m}"


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

    def take(self, remaining: Callable[[], float]) -> None:
        """Waits for a call's turn; raises CallRefused when it is not near.

        `remaining()` gives the seconds that are left for the work.

        Without Redis a live update goes on uncounted, since it depends on one server less then;
        what leaves calls to others does not.
        """
        try:
            while (wait := self._wait()) is not None:
                if wait >= min(remaining(), self._patience):
                    raise CallRefused(
                        f"{self._minute.amount - self._kept_a_minute} calls were made within a "
                        "minute: COINGECKO_CALLS_PER_MINUTE",
                        permanent=True,
                        retry_after=wait,
                    )
                time.sleep(min(wait, LOOK_AGAIN_SECONDS))
        except (StorageError, redis.RedisError) as error:
            if self._kept_a_minute:
                raise CallRefused(
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
                raise CallRefused(
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


def _now() -> datetime:
    return datetime.now(UTC)
