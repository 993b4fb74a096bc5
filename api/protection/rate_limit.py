"""Limits how often one address may request a change."""

import threading
import time

import redis
from limits import RateLimitItemPerMinute
from limits.errors import StorageError
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

import logs
from quota.limiter import RedisCounts

log = logs.get(__name__)

CHANGES_PER_MINUTE = 60


class RateLimiter:
    """A fixed window of a minute for each address.

    Redis counts for all processes together. Each process also counts its own calls, so that the
    limit holds for each process by itself while Redis is away.
    """

    def __init__(self, redis_url: str, pool: redis.ConnectionPool) -> None:
        self._shared = FixedWindowRateLimiter(RedisCounts(redis_url, connection_pool=pool))
        self._own = FixedWindowRateLimiter(MemoryStorage())
        self._lock = threading.Lock()  # concurrent calls would lose counts in memory
        self._item = RateLimitItemPerMinute(CHANGES_PER_MINUTE, namespace="koinx")

    def wait(self, address: str) -> int | None:
        """Counts a call; returns None within the limit, otherwise the seconds to wait."""
        with self._lock:
            own = self._wait(self._own, address)
        try:
            return self._wait(self._shared, address)
        except (StorageError, redis.RedisError) as error:
            log.warning("changes counted in this process alone", reason=type(error).__name__)
            return own

    def _wait(self, counts: FixedWindowRateLimiter, address: str) -> int | None:
        if counts.hit(self._item, address):
            return None
        end, _ = counts.get_window_stats(self._item, address)
        return max(1, round(end - time.time()))
