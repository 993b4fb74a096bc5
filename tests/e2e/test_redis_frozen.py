"""Reliability: Redis freezes: no call hangs, and what was accepted is carried out once."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import psutil
import pytest
import redis as redis_client
from flask.testing import FlaskClient
from kombu.exceptions import OperationalError

from api.events.update_consumer import UpdateConsumer
from api.extensions import EXTENSION, REDIS_SECONDS, Services
from bench.harness.services import wait_until
from bridge.connection import Connection
from bridge.events import UpdateRequested
from bridge.publisher import publish
from market.model.documents import Update
from tasks import ingest, schedule
from tests.harness.consumer import left
from tests.harness.queued_tasks import tasks
from tests.harness.worker import in_a_worker

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)

BROKER_SECONDS = 3.0
SLACK = 1.0  # what a test machine may add
NAMES = [f"e{number}" for number in range(5)]


@contextmanager
def frozen(redis: str) -> Iterator[None]:
    with redis_client.Redis.from_url(redis) as client:
        process = psutil.Process(client.info("server")["process_id"])
    process.suspend()
    try:
        yield
    finally:
        process.resume()


@pytest.fixture
def services(client: FlaskClient, connection: Connection) -> Iterator[Services]:
    """An API that consumes, from a stream that is there."""
    made: Services = client.application.extensions[EXTENSION]
    inbox = UpdateConsumer(made)
    inbox.start()
    yield made
    inbox.stop()


def seconds(call: Callable[[], object]) -> float:
    begun = time.monotonic()
    call()
    return time.monotonic() - begun


@pytest.mark.row("redis-frozen")
def test_no_call_hangs_and_what_is_accepted_is_carried_out_once(
    services: Services, client: FlaskClient, connection: Connection, redis: str
) -> None:
    # Given a Redis that froze after its connections were made
    publish(connection, UpdateRequested("before"))
    wait_until(lambda: tasks(redis) == ["before"], "a task")
    assert client.get("/ready").status_code == 200
    with frozen(redis):
        # When events come, then the ledger has them and they are acknowledged at once
        for name in NAMES:
            publish(connection, UpdateRequested(name))
        wait_until(lambda: left(connection) == (0, 0), "the acknowledgements", SLACK)
        assert services.ledger.known(NAMES) == set(NAMES)

        # ... the API answers
        assert seconds(lambda: client.get("/health")) < SLACK
        assert seconds(lambda: client.get("/ready")) < REDIS_SECONDS + SLACK
        begun = time.monotonic()
        accepted = client.post("/v1/updates")
        assert time.monotonic() - begun < REDIS_SECONDS + SLACK
        assert accepted.status_code == 202

        # ... and a task that cannot be sent is an error in time
        def send() -> None:
            with pytest.raises(OperationalError):
                ingest.ingest.apply_async(("never",), retry=False)

        assert seconds(send) < BROKER_SECONDS + SLACK
    # When it goes on, then the sweeper starts what nobody could start
    assert accepted.json is not None
    names = {"before", *NAMES, accepted.json["id"]}
    Update.objects().update(set__received_at=LONG_AGO)
    with in_a_worker():
        schedule.sweep.apply(throw=True)
        started = set(tasks(redis))
        assert started - {"never"} == names
        outcomes = [ingest.ingest.apply((name,), throw=True).get() for name in [*names, *names]]
    assert Counter(outcomes) == {"done": len(names), None: len(names)}
