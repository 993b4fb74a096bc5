"""Prepares MongoDB, NATS and Redis before any process starts: `python -m cli.migrate`."""

import argparse
import sys
from collections.abc import Container
from contextlib import suppress

from nats.errors import Error as NatsError
from pymongo.errors import PyMongoError
from redis import RedisError

import logs
from bridge import streams
from bridge.connection import Connection, NotConnected
from logs.redaction import plain
from market.storage import database, home, migrations
from market.storage.database import WrongCollection
from market.storage.migrations import TooNew
from market.storage.restore import finish_exchange
from settings import Settings, load_or_exit
from settings.home_claim import OtherHome, claim

log = logs.get(__name__)

NATS_SECONDS = 10.0


def prepare(settings: Settings, *, take_over: bool = False, own: Container[str] = ()) -> None:
    """Creates collections, indexes, streams and the consumer; raises what is wrong with them.

    `take_over`: from now on NATS and Redis work for these settings' database, whichever they
    worked for; refused while an event of the other one is waiting. `own`: the servers that only
    this home uses, whose database may be a new one of the same name.
    """
    made = database.connect(settings.server("mongodb_uri"), settings.database)
    if not take_over:
        with suppress(RedisError):  # the worker claims it too, once Redis answers
            claim(settings.server("redis_url"), settings.database)
    if finish_exchange(made):
        log.warning("an interrupted restore of %s was finished", made.name)
    migrations.migrate(made)
    database.prepare(made)
    id_ = home.made(made)
    if not take_over:
        with suppress(RedisError):
            claim(settings.server("redis_url"), settings.database, id_, own="redis" in own)
    connection = Connection(settings.server("nats_url"), "koinx-prepare")
    try:
        connection.run(
            lambda client: streams.prepare(
                client, settings.database, id_, take_over=take_over, own="nats" in own
            ),
            NATS_SECONDS,
        )
    finally:
        connection.close()
    if take_over:
        claim(settings.server("redis_url"), settings.database, id_, take_over=True)


def main() -> None:
    """Prepares the servers, or exits with the reason in one line."""
    parser = argparse.ArgumentParser(prog="python -m cli.migrate", description=main.__doc__)
    parser.add_argument(
        "--take-over",
        action="store_true",
        help="use a NATS and a Redis that worked for another database until now",
    )
    parser.add_argument(
        "--own",
        action="append",
        default=[],
        choices=("nats", "redis"),
        help="this server is this home's alone: it works for a new database of the same name too",
    )
    options = parser.parse_args()
    settings = load_or_exit()
    logs.set_up("prepare")
    try:
        prepare(settings, take_over=options.take_over, own=options.own)
    except (OtherHome, TooNew, WrongCollection, streams.WrongStream, NotConnected) as error:
        sys.exit(str(error))
    except PyMongoError as error:
        sys.exit(f"MongoDB: {plain(error)}")
    except (NatsError, TimeoutError) as error:
        sys.exit(f"NATS: {plain(error)}")
    except RedisError as error:
        sys.exit(f"Redis: {plain(error)}")
    with suppress(OSError):  # a full disk under the log must not prevent the start
        print(f"prepared {settings.database}", flush=True)


if __name__ == "__main__":
    main()
