"""Makes what every process relies on, before any of them starts: `python -m api.prepare`."""

import sys
from contextlib import suppress

from nats.errors import Error as NatsError
from pymongo.errors import PyMongoError
from redis import RedisError

import logbook
from bridge import streams
from bridge.connection import Connection, NotConnected
from logbook.masking import plain
from market import database, schema
from market.database import WrongCollection
from market.exchange import finish
from market.schema import TooNew
from settings import Settings, load_or_exit
from settings.claim import OtherHome, claim

log = logbook.get(__name__)

NATS_SECONDS = 10.0


def prepare(settings: Settings) -> None:
    """Makes collections, indexes, streams and the consumer, or raises what is wrong with them."""
    made = database.connect(settings.server("mongodb_uri"), settings.database)
    with suppress(RedisError):  # the worker claims it too, once it answers
        claim(settings.server("redis_url"), settings.database)
    if finish(made):
        log.warning("an interrupted restore of %s was finished", made.name)
    schema.migrate(made)
    database.prepare(made)
    connection = Connection(settings.server("nats_url"), "koinx-prepare")
    try:
        connection.run(lambda client: streams.prepare(client, settings.database), NATS_SECONDS)
    finally:
        connection.close()


def main() -> None:
    """Prepares, or ends with the reason in one line."""
    settings = load_or_exit()
    logbook.set_up("prepare")
    try:
        prepare(settings)
    except (OtherHome, TooNew, WrongCollection, streams.WrongStream, NotConnected) as error:
        sys.exit(str(error))
    except PyMongoError as error:
        sys.exit(f"MongoDB: {plain(error)}")
    except (NatsError, TimeoutError) as error:
        sys.exit(f"NATS: {plain(error)}")
    with suppress(OSError):  # a log without room is no reason to start nothing
        print(f"prepared {settings.database}", flush=True)


if __name__ == "__main__":
    main()
