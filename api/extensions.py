"""The objects that one API process works with, reachable from its views."""

from typing import cast

from flask import current_app
from redis import ConnectionPool, Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from access.login_attempts import LoginAttempts
from api.cache.invalidation import UpdateWatcher
from api.cache.recent_quotes import RecentPriceCache
from api.cache.response_cache import ResponseCache
from api.events.broadcaster import Broadcaster
from api.events.update_waiters import UpdateWaiters
from api.metrics.middleware import RequestMetrics
from api.protection.rate_limit import RateLimiter
from bridge.connection import Connection
from market.analytics.recent_prices import RecentPricesReader
from market.gap_repair.queue import RepairQueue
from market.ledger.event_log import EventLog
from market.ledger.latency import HopLatencies
from market.ledger.ledger import Ledger
from market.rollups.candle_pages import CandlePages
from market.schedule.slots import Schedule
from market.storage.database import connect
from market.storage.quote_history import QuoteHistory
from market.storage.quote_store import QuoteStore
from market.storage.watermarks import Watermarks
from quota.limiter import CallLimiter, RedisCounts
from settings import Settings
from settings.disk_space import Room

EXTENSION = "koinx"
REDIS_SECONDS = 1.0
# More than threads: with redis-py's own limit of 100, calls went uncounted
REDIS_CONNECTIONS = 512


class Services:
    """The settings, with everything made from them. Nothing connects before its first use."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        database = connect(settings.server("mongodb_uri"), settings.database)
        self.schedule = Schedule(settings.cron_schedule)
        self.ledger = Ledger(database)
        self.store = QuoteStore(database)
        self.history = QuoteHistory(database)
        self.repairs = RepairQueue(database)
        self.candles = CandlePages(database)
        self.marks = Watermarks(database)
        self.hop_times = HopLatencies(database)
        self.recent_prices = RecentPriceCache(RecentPricesReader(database))
        self.nats = Connection(settings.server("nats_url"), "koinx-api")
        redis_url = settings.server("redis_url")
        self.redis = redis_pool(redis_url)
        counts = RedisCounts(redis_url, connection_pool=self.redis)
        self.rate_limiter = RateLimiter(redis_url, self.redis)
        self.guesses = LoginAttempts(counts)
        # None: calls to the source are not limited
        self.calls = CallLimiter(counts, settings.budget) if settings.budget else None
        self.room = Room(settings)
        closings = EventLog(database)
        self.response_cache = ResponseCache()
        self.update_watcher = UpdateWatcher(
            closings, self.ledger, self.schedule, self.response_cache
        )
        self.broadcaster = Broadcaster(closings, settings.source)
        self.waiters = UpdateWaiters()
        self.request_metrics = RequestMetrics(settings.run_folder / "metrics")

    def ping_redis(self) -> None:
        """Raises redis.RedisError when Redis does not respond within a second."""
        Redis(connection_pool=self.redis).ping()


def redis_pool(url: str) -> ConnectionPool:
    """Makes connections on which a request waits for Redis once, and briefly.

    By itself redis-py tries three times more, with pauses of up to 10 s.
    """
    return ConnectionPool.from_url(
        url,
        max_connections=REDIS_CONNECTIONS,
        socket_timeout=REDIS_SECONDS,
        socket_connect_timeout=REDIS_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )


def current_services() -> Services:
    """Returns the current app's services."""
    return cast(Services, current_app.extensions[EXTENSION])
