"""The windows in which Redis counts the calls to the source, for all processes and hosts."""

from dataclasses import dataclass
from datetime import datetime

from limits import RateLimitItem, RateLimitItemPerMinute, RateLimitItemPerMonth
from limits.storage import RedisStorage
from limits.strategies import FixedWindowRateLimiter, MovingWindowRateLimiter

from settings.budget import Budget

WHO = "source"
SPACE = "koinx"


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
