"""The windows in which calls are counted."""

from datetime import UTC, datetime

from limits.storage import RedisStorage

from quota.limiter import CallLimiter, CallWindows
from settings import Budget


def test_what_calls_took_is_seen_from_elsewhere(redis: str) -> None:
    storage = RedisStorage(redis)
    budget, now = Budget(5, 100), datetime.now(UTC)
    assert CallWindows.of(budget).left(storage, now) == (5, 100)
    CallLimiter(storage, budget).acquire(lambda: 1)
    assert CallWindows.of(budget).left(storage, now) == (4, 99)
    assert CallWindows.of(Budget(5, None)).left(storage, now) == (4, None)
