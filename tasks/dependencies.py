"""The services that tasks use in one process, connected after it was forked."""

import os
from collections.abc import Callable
from datetime import timedelta
from functools import lru_cache
from urllib.parse import urlsplit

import redis
from pymongo.database import Database

from bridge.connection import Connection
from market.gap_repair.planner import Planner
from market.gap_repair.queue import RepairQueue
from market.ingest.outlier_filter import OutlierFilter
from market.ledger.alerts import AlertQueue, HealthMonitor
from market.ledger.ledger import Ledger
from market.rollups.job import RollupJob
from market.schedule.slots import Schedule
from market.sources.coin_listing import FRESH, Listing
from market.sources.coingecko import CoinGecko
from market.sources.coinpaprika import CACHE_SECONDS, CoinPaprika
from market.sources.fallback import FallbackSource
from market.sources.http import Deadline
from market.storage.database import Document, connect
from market.storage.quote_history import QuoteHistory
from market.storage.quote_store import QuoteStore
from quota.limiter import RedisCounts
from settings import Settings, is_loopback, load_or_exit
from settings.disk_space import Room
from tasks import call_budget


class Services:
    """What the tasks of one process use."""

    def __init__(self, settings: Settings) -> None:
        database = connect(settings.server("mongodb_uri"), settings.database)
        self.settings = settings
        self.room = Room(settings)
        self.schedule = Schedule(settings.cron_schedule)
        self.database = database
        self.ledger = Ledger(database)
        self.store = QuoteStore(database)
        self.outlier_filter = OutlierFilter(database)
        self.history = QuoteHistory(database)
        self.repairs = RepairQueue(database)
        self.planner = Planner(database, self.schedule)
        self.archive = RollupJob(database)
        self.health = HealthMonitor(database, self.schedule)
        self.alerts = AlertQueue(database)
        self.nats = Connection(settings.server("nats_url"), "koinx-worker")
        redis_url = settings.server("redis_url")
        self.redis = redis.Redis.from_url(redis_url, socket_timeout=3, socket_connect_timeout=3)
        counts = RedisCounts(redis_url, socket_timeout=3, socket_connect_timeout=3)
        self.max_pages = call_budget.max_pages(settings)
        self.source = _source(settings, call_budget.for_updates(counts, settings))
        self.charts = _source(settings, call_budget.for_repairs(counts, settings))
        self.fallback = _fallback(settings, database)


def _source(settings: Settings, take: Callable[[Deadline], None]) -> CoinGecko:
    key = settings.coingecko_api_key
    return CoinGecko(
        settings.coingecko_api_url,
        key=key.get_secret_value() if key else None,
        plan=settings.coingecko_plan,
        take=take,
    )


def _fallback(settings: Settings, database: Database[Document]) -> FallbackSource | None:
    if settings.second_source is None:
        return None
    url, name = settings.coinpaprika_api_url, settings.fallback_label
    # A source on this machine has no limit, as with CoinGecko's calls.
    limited = not is_loopback(urlsplit(url).hostname or "")
    source = CoinPaprika(url, cache_seconds=CACHE_SECONDS if limited else 0)
    fresh = FRESH if limited else timedelta()
    return FallbackSource(name, source, Listing(database, name, source.listing, fresh))


def get_services() -> Services:
    """Returns this process's services, made at the first call."""
    # A fork would share sockets with its parent, so the process id is part of the key.
    return _services(os.getpid())


@lru_cache(maxsize=1)
def _services(_process: int) -> Services:
    return Services(load_or_exit())
