"""Defines the streams and the durable consumer, and creates or updates them."""

from collections.abc import Iterator
from contextlib import contextmanager

from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DiscardPolicy,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)
from nats.js.errors import BadRequestError, NotFoundError, ServerError

from bridge.events import DEAD, REQUESTED
from logs.redaction import masked

EVENTS = "CRYPTO"
DEAD_LETTERS = "CRYPTO_DEAD"
CONSUMER = "ingest"
TAKE_OVER = (
    "python -m cli.migrate --take-over (with Compose: docker compose run --rm prepare "
    "python -m cli.migrate --take-over)"
)
OWNER = "koinx-database"  # in a stream's metadata: the database of the home that owns it
HOME = "koinx-home"  # and the id that is kept in it: another MongoDB may have the same name
SHOWN = 8  # characters of an id

EVENTS_CONFIG = StreamConfig(
    name=EVENTS,
    subjects=[REQUESTED],
    retention=RetentionPolicy.WORK_QUEUE,
    storage=StorageType.FILE,
    duplicate_window=3600,  # longer than the longest slot, so two beats publish one event
    max_bytes=128 * 1024 * 1024,
    discard=DiscardPolicy.NEW,  # when full, publishing fails, and no accepted event is dropped
)
DEAD_CONFIG = StreamConfig(
    name=DEAD_LETTERS,
    subjects=[DEAD],
    storage=StorageType.FILE,
    duplicate_window=3600,
    max_bytes=64 * 1024 * 1024,
    discard=DiscardPolicy.OLD,
)
CONSUMER_CONFIG = ConsumerConfig(
    durable_name=CONSUMER,
    ack_policy=AckPolicy.EXPLICIT,
    # The open fetch of a dead process holds the next message for this long. The handler only writes
    # to the ledger before it acknowledges, so 5 s suffice.
    ack_wait=5,
    max_ack_pending=16,
    max_deliver=-1,  # a valid event is delivered until the ledger has it
)


class WrongStream(Exception):
    """JetStream refuses the configuration of a stream or consumer."""


async def prepare(
    client: Client,
    database: str | None = None,
    home: str | None = None,
    *,
    take_over: bool = False,
    own: bool = False,
) -> None:
    """Makes or mends the streams and the consumer; raises WrongStream.

    The streams are marked with the name of the `database` whose home they work for and with the
    `home`'s id, and refused if they work for another's: both would take each other's events.
    Without a name or an id that mark stays, and one that is missing, as before there were ids, is
    added. `take_over` marks them anew, unless an event of the other home waits. `own`: the NATS is
    this home's alone, so that it follows it into a new database of the same name.
    """
    js = client.jetstream(timeout=5)
    for config in (EVENTS_CONFIG, DEAD_CONFIG):
        with _refused(f"stream {config.name}"):
            await _prepare_stream(js, config, database, home, take_over=take_over, own=own)
    with _refused(f"consumer {CONSUMER}"):
        # `pull_subscribe` would silently keep a durable with a different configuration.
        await js.add_consumer(EVENTS, CONSUMER_CONFIG)


@contextmanager
def _refused(what: str) -> Iterator[None]:
    try:
        yield
    except (BadRequestError, ServerError) as error:  # which one depends on the error
        raise WrongStream(
            f"NATS refuses the {what}: {masked(error.description or 'it says no reason')}"
        ) from error


async def _prepare_stream(
    js: JetStreamContext,
    config: StreamConfig,
    database: str | None,
    home: str | None,
    *,
    take_over: bool,
    own: bool,
) -> None:
    try:
        known = await js.stream_info(str(config.name))
    except NotFoundError:
        await js.add_stream(_marked(config, database, home))
        return
    marks = known.config.metadata or {}
    owner, its_home = marks.get(OWNER), marks.get(HOME)
    if database and owner and owner != database:
        works_for, loser, user = owner, database, owner
    elif home and its_home and its_home != home and not own:
        works_for = f"{database} in another MongoDB (home {its_home[:SHOWN]})"
        loser, user = f"{database} in this one (home {home[:SHOWN]})", "that home"
    else:
        await js.update_stream(_marked(config, database or owner, home or its_home))
        return
    if not take_over:
        raise WrongStream(
            f"NATS_URL names a NATS whose stream {config.name} works for {works_for}, and {loser} "
            "would take its events: give one of them another account or another NATS; if "
            f"{user} is no longer used there, run {TAKE_OVER}"
        )
    if config is EVENTS_CONFIG and (waiting := known.state.messages):
        raise WrongStream(
            f"events of {works_for} wait in the stream {config.name} ({waiting}): let its home "
            "finish them first"
        )
    await js.update_stream(_marked(config, database, home))


def _marked(config: StreamConfig, database: str | None, home: str | None) -> StreamConfig:
    marks = {name: value for name, value in ((OWNER, database), (HOME, home)) if value}
    return config.evolve(metadata=marks) if marks else config
