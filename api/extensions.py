"""What one API process works with, reachable from its views."""

from dataclasses import dataclass, field
from typing import cast

from flask import Flask, current_app
from redis import ConnectionPool, Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from access.login_attempts import LoginAttempts
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
REDIS_CONNECTIONS = 512  # more than threads: redis-py allows 100, and then calls went uncounted


@dataclass
class Services:
    """The settings, with everything made from them."""

    settings: Settings
    schedule: Schedule
    ledger: Ledger
    store: QuoteStore
    history: QuoteHistory
    repairs: RepairQueue
    candles: CandlePages
    marks: Watermarks
    recent_prices: RecentPriceCache
    nats: Connection
    redis: ConnectionPool
    rate_limiter: RateLimiter
    guesses: LoginAttempts
    room: Room
    closings: EventLog
    broadcaster: Broadcaster
    request_metrics: RequestMetrics
    hop_times: HopLatencies
    calls: CallLimiter | None  # None: they are not limited
    waiters: UpdateWaiters = field(default_factory=UpdateWaiters)
    response_cache: ResponseCache = field(default_factory=ResponseCache)

    def ping_redis(self) -> None:
        """Raises redis.RedisError when Redis does not answer within a second."""
        Redis(connection_pool=self.redis).ping()


def attach(app: Flask, settings: Settings) -> Services:
    """Makes an app's services; nothing is connected before the first use."""
    database = connect(settings.server("mongodb_uri"), settings.database)
    store = QuoteStore(database)
    closings = EventLog(database)
    redis_url = settings.server("redis_url")
    pool = redis_pool(redis_url)
    made = Services(
        settings=settings,
        schedule=Schedule(settings.cron_schedule),
        ledger=Ledger(database),
        store=store,
        history=QuoteHistory(database),
        repairs=RepairQueue(database),
        candles=CandlePages(database),
        marks=Watermarks(database),
        recent_prices=RecentPriceCache(RecentPricesReader(database)),
        nats=Connection(settings.server("nats_url"), "koinx-api"),
        redis=pool,
        rate_limiter=RateLimiter(redis_url, pool),
        guesses=LoginAttempts(RedisCounts(redis_url, connection_pool=pool)),
        room=Room(settings),
        closings=closings,
        broadcaster=Broadcaster(closings, settings.source),
        request_metrics=RequestMetrics(settings.run_folder / "metrics"),
        hop_times=HopLatencies(database),
        calls=CallLimiter(RedisCounts(redis_url, connection_pool=pool), settings.budget)
        if settings.budget
        else None,
    )
    app.extensions[EXTENSION] = made
    return made


def redis_pool(url: str) -> ConnectionPool:
    """Connections on which a request waits for Redis once, and briefly.

    redis-py tries three times more by itself, with pauses of up to 10 s.
    """
    return ConnectionPool.from_url(
        url,
        max_connections=REDIS_CONNECTIONS,
        socket_timeout=REDIS_SECONDS,
        socket_connect_timeout=REDIS_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )


def services() -> Services:
    """The current app's services."""
    return cast(Services, current_app.extensions[EXTENSION])
