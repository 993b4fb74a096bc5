"""What tasks work with in one process, connected after it was forked."""

import os
from collections.abc import Callable
from datetime import timedelta
from functools import lru_cache
from urllib.parse import urlsplit

import redis
from pymongo.database import Database

from bridge.connection import Connection
from market.archive import Archive
from market.coingecko import CoinGecko
from market.coinpaprika import KEEP_SECONDS, CoinPaprika
from market.condition import Conditions
from market.database import Document, connect
from market.history import History
from market.http_source import Deadline
from market.ledger import Ledger
from market.listing import FRESH, Listing
from market.notices import Notices
from market.pause import Pause
from market.planner import Planner
from market.repairs import Repairs
from market.sieve import Sieve
from market.slots import Schedule
from market.store import Store
from market.substitute import Substitute
from settings import Settings, is_loopback, load_or_exit
from settings.room import Room
from tasks import calls
from tasks.counts import RedisCounts


class Services:
    """What tasks work with, for one process."""

    def __init__(self, settings: Settings) -> None:
        database = connect(settings.server("mongodb_uri"), settings.database)
        self.settings = settings
        self.room = Room(settings)
        self.schedule = Schedule(settings.cron_schedule)
        self.ledger = Ledger(database)
        self.store = Store(database)
        self.sieve = Sieve(database)
        self.nats = Connection(settings.server("nats_url"), "koinx-worker")
        self.history = History(database)
        self.repairs = Repairs(database)
        self.pause = Pause(database)
        self.archive = Archive(database)
        self.database = database
        self.planner = Planner(database, self.schedule)
        self.conditions = Conditions(database, self.schedule)
        self.notices = Notices(database)
        redis_url = settings.server("redis_url")
        self.redis = redis.Redis.from_url(redis_url, socket_timeout=3, socket_connect_timeout=3)
        storage = RedisCounts(redis_url, socket_timeout=3, socket_connect_timeout=3)
        self.at_once = calls.pages_at_once(settings)
        self.source = _source(settings, calls.for_updates(storage, settings))
        self.charts = _source(settings, calls.for_repairs(storage, settings))
        self.substitute = _substitute(settings, database)


def _source(settings: Settings, take: Callable[[Deadline], None]) -> CoinGecko:
    key = settings.coingecko_api_key
    return CoinGecko(
        settings.coingecko_api_url,
        key=key.get_secret_value() if key else None,
        plan=settings.coingecko_plan,
        take=take,
    )


def _substitute(settings: Settings, database: Database[Document]) -> Substitute | None:
    if settings.second_source is None:
        return None
    url, name = settings.coinpaprika_api_url, settings.second_label
    # A source on this machine has no limit, as with CoinGecko's calls.
    limited = not is_loopback(urlsplit(url).hostname or "")
    source = CoinPaprika(url, keep_seconds=KEEP_SECONDS if limited else 0)
    fresh = FRESH if limited else timedelta()
    return Substitute(name, source, Listing(database, name, source.listing, fresh))


def services() -> Services:
    """This process's services, made at the first use."""
    # A fork would share sockets with its parent, so the process id is part of the question.
    return _services(os.getpid())


@lru_cache(maxsize=1)
def _services(_process: int) -> Services:
    return Services(load_or_exit())
