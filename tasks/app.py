"""The Celery app: workers import its tasks, and other processes name them."""

import gc
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from celery import Celery
from celery.signals import beat_init, celeryd_init, task_prerun, worker_before_create_process
from celery.utils.imports import import_from_cwd

from logs.redaction import plain
from settings import load_or_exit
from settings.home_claim import claim_or_exit
from tasks import heartbeat, logging, redis_transport, worker_shutdown

TASKS = ("tasks.ingest", "tasks.notify", "tasks.repair", "tasks.rollup", "tasks.schedule")

redis_transport.install()
logging.install()

app = Celery("koinx")
app.config_from_object("celeryconfig")
worker_shutdown.install(app)


@celeryd_init.connect
def import_tasks(**_: object) -> None:
    """Imports the tasks and all that they need.

    With `imports` in the settings, beat would import them too; it needs 18 MB less without.
    """
    try:
        for name in TASKS:
            # The program `celery` has this folder in its path only while it looks for the app.
            import_from_cwd(name)
    except ImportError as error:
        # Celery ignores a signal handler that fails: the worker would run without tasks.
        sys.exit(f"the tasks cannot be imported: {plain(error)}")


@celeryd_init.connect
def _reject_mislabelled_prices(**_: object) -> None:
    # `./koinx up --demo` knows its simulator's address; a worker started without it may not.
    if reason := load_or_exit().market_mismatch:
        sys.exit(reason)


@celeryd_init.connect
@beat_init.connect
def _claim_home(**_: object) -> None:
    # Started by hand, nothing has prepared the servers.
    settings = load_or_exit()
    # A child asks MongoDB, and ends: beat keeps running without PyMongo, which takes 18 MB.
    with ProcessPoolExecutor(1, mp_context=get_context("fork")) as child:
        uri = settings.server("mongodb_uri")
        home = child.submit(_ask_home, uri, settings.database).result()
    claim_or_exit(settings, home)


def _ask_home(uri: str, database: str) -> str | None:
    from market.storage import home  # noqa: PLC0415 - imported by the child alone

    return home.asked(uri, database)


@worker_before_create_process.connect
def _share_memory(**_: object) -> None:
    # A child shares its parent's memory until one of them writes to it, and the garbage collector
    # writes to every object that it examines. It never examines frozen objects again.
    gc.collect()
    gc.freeze()


@task_prerun.connect
def _record_heartbeat(**_: object) -> None:
    # A worker that answers pings may still have stopped taking tasks, as after some reconnects.
    heartbeat.record(heartbeat.WORKER)
