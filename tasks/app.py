"""The Celery app, with what each of its processes connects to, after it was forked."""

import os
from functools import lru_cache

from celery import Celery
from celery.signals import task_prerun

from bridge.connection import Connection
from market.coingecko import CoinGecko
from market.database import connect
from market.ledger import Ledger
from market.slots import Schedule
from market.store import Store
from settings import Settings, load_or_exit
from tasks import heartbeat

app = Celery("koinx")
app.config_from_object("celeryconfig")


@task_prerun.connect
def _sign_of_life(**_: object) -> None:
    # A worker that answers pings may still have stopped taking tasks, as after some reconnects.
    heartbeat.leave(heartbeat.WORKER)


class Services:
    """What tasks work with, for one process."""

    def __init__(self, settings: Settings) -> None:
        database = connect(settings.server("mongodb_uri"), settings.database)
        key = settings.coingecko_api_key
        self.settings = settings
        self.schedule = Schedule(settings.cron_schedule)
        self.ledger = Ledger(database)
        self.store = Store(database)
        self.nats = Connection(settings.server("nats_url"), "koinx-worker")
        self.source = CoinGecko(
            settings.coingecko_api_url,
            key=key.get_secret_value() if key else None,
            plan=settings.coingecko_plan,
        )


def services() -> Services:
    """This process's services, made at the first use."""
    # A fork would share sockets with its parent, so the process id is part of the question.
    return _services(os.getpid())


@lru_cache(maxsize=1)
def _services(_process: int) -> Services:
    return Services(load_or_exit())
