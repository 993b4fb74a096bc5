"""How often one address may ask for a change, counted in Redis for all processes together."""

import time

import redis
from limits import RateLimitItemPerMinute
from limits.errors import StorageError
from limits.strategies import FixedWindowRateLimiter

import logs
from quota.limiter import RedisCounts

log = logs.get(__name__)

CHANGES_PER_MINUTE = 60


class Limits:
    """A fixed window of a minute for each address."""

    def __init__(self, redis_url: str, pool: redis.ConnectionPool) -> None:
        storage = RedisCounts(redis_url, connection_pool=pool)
        self._limiter = FixedWindowRateLimiter(storage)
        self._item = RateLimitItemPerMinute(CHANGES_PER_MINUTE, namespace="koinx")

    def wait(self, address: str) -> int | None:
        """Counts a call; None if it is within the limit, else the seconds to wait.

        While Redis does not answer nothing is counted: how many may wait is bounded elsewhere,
        and an update that was asked for must not depend on one server more.
        """
        try:
            if self._limiter.hit(self._item, address):
                return None
            end, _ = self._limiter.get_window_stats(self._item, address)
        except (StorageError, redis.RedisError) as error:
            log.warning("changes are not counted", reason=type(error).__name__)
            return None
        return max(1, round(end - time.time()))
