"""Reliability: an API process dies between its ledger entry and its acknowledgement."""

import signal
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from flask import Flask

from api.events.update_consumer import UpdateConsumer
from api.extensions import EXTENSION, Services
from bench.harness.services import wait_until
from bridge import streams
from bridge.connection import Connection
from bridge.events import UpdateRequested
from bridge.publisher import publish
from market.model.documents import Quote, Update
from settings import ROOT
from tasks import ingest, schedule
from tests.harness.consumer import left
from tests.harness.queued_tasks import tasks
from tests.harness.worker import in_a_worker

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)

ACK_WAIT = 1
DYING = f"""
import os, signal, time
from bridge import streams
streams.CONSUMER_CONFIG.ack_wait = {ACK_WAIT}
from api.app import create_app
from api.events.update_consumer import UpdateConsumer
from api.extensions import EXTENSION
from settings import load_or_exit

class Dying(UpdateConsumer):
    def take(self, delivery):
        super().take(delivery)
        os.kill(os.getpid(), signal.SIGKILL)

Dying(create_app(load_or_exit()).extensions[EXTENSION]).start()
time.sleep(60)
"""


@pytest.mark.row("api-killed")
def test_its_event_comes_again_and_makes_no_second_update(
    app: Flask, connection: Connection, redis: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given an event that is in the ledger, but was not acknowledged when its process was killed
    monkeypatch.setattr(streams.CONSUMER_CONFIG, "ack_wait", ACK_WAIT)
    publish(connection, UpdateRequested("a"), message_id="a")
    with subprocess.Popen([sys.executable, "-c", DYING], cwd=ROOT) as dying:
        assert dying.wait(20) == -signal.SIGKILL
    services: Services = app.extensions[EXTENSION]
    first = services.ledger.get("a")
    assert first is not None
    assert left(connection) == (1, 1)

    # When another process consumes
    inbox = UpdateConsumer(services)
    inbox.start()
    wait_until(lambda: left(connection) == (0, 0), "the event to be acknowledged")
    inbox.stop()

    # Then it is in the ledger as it was, once, and the sweeper starts what nobody started
    assert services.ledger.newest() == [first]
    assert tasks(redis) == []
    Update.objects(id="a").update(set__received_at=LONG_AGO)
    with in_a_worker() as worker:
        schedule.sweep.apply(throw=True)
        assert tasks(redis) == ["a"]
        assert [ingest.ingest.apply(("a",), throw=True).get() for _ in range(2)] == ["done", None]
        update = worker.ledger.get("a")
    assert update is not None
    assert Quote.objects.count() == update["counts"]["stored"] >= 20
