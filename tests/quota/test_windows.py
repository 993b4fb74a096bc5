"""The windows in which calls are counted."""

from datetime import UTC, datetime

from limits.storage import RedisStorage

from quota.limiter import Calls, Windows
from settings import Budget


def test_what_calls_took_is_seen_from_elsewhere(redis: str) -> None:
    storage = RedisStorage(redis)
    budget, now = Budget(5, 100), datetime.now(UTC)
    assert Windows.of(budget).left(storage, now) == (5, 100)
    Calls(storage, budget).take(lambda: 1)
    assert Windows.of(budget).left(storage, now) == (4, 99)
    assert Windows.of(Budget(5, None)).left(storage, now) == (4, None)
