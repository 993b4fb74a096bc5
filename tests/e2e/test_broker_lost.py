"""Reliability: Redis is killed while a worker has tasks in hand; the worker goes on by itself."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from kombu import Connection
from kombu.exceptions import OperationalError

from bench.harness.services import SimulatorControl, address, free_port, server, wait_until
from market.ledger.ledger import Ledger
from settings import ROOT
from tasks.app import app
from tasks.redis_transport import LostChannel

WORKER = "celery -A tasks worker -Q updates -c 2 --without-gossip --without-mingle -l INFO"
PORT = free_port()


@pytest.fixture
def worker(
    environment: None, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator["subprocess.Popen[bytes]"]:
    """A real worker whose Redis is this test's own."""
    monkeypatch.setenv("REDIS_URL", address("redis", PORT))
    with (
        (tmp_path / "log").open("wb") as log,
        subprocess.Popen(
            [sys.executable, "-m", *WORKER.split()],
            cwd=ROOT,
            stdout=log,
            stderr=log,
            start_new_session=True,
        ) as process,
    ):
        try:
            yield process
        finally:
            os.killpg(process.pid, 9)


def send(ledger: Ledger, name: str) -> None:
    """Enters an update, and starts its task from a process of its own."""
    ledger.receive(name, trigger="event", slot=None, hops={})
    call = ["celery", "-A", "tasks", "call", "tasks.ingest.ingest", "--args", f'["{name}"]']
    command = [sys.executable, "-m", *call, "--queue", "updates"]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=30)


def send_task(producer: Any, retry: bool) -> None:
    policy = {"max_retries": 1, "interval_start": 0, "interval_step": 0}
    app.send_task("tasks.none", producer=producer, retry=retry, retry_policy=policy)


@pytest.mark.parametrize("closed", ["the channel", "its transport"])
def test_a_closed_channel_says_that_its_connection_is_lost(closed: str) -> None:
    # Given a channel as it is left when its connection was closed around it
    with Connection(address("redis", PORT)) as connection:
        channel: Any = LostChannel.__new__(LostChannel)
        channel.connection = None if closed == "the channel" else connection.transport
        if channel.connection is not None:
            channel.connection.client = None
        # Then
        with pytest.raises(redis.ConnectionError, match="the channel was closed"):
            channel._connparams()


@pytest.mark.row("redis-killed")
@pytest.mark.usefixtures("environment")
def test_a_lost_broker_is_tried_again_each_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kombu.utils.functional.sleep", lambda _: None)
    pauses: list[float] = []

    url = f"redis://127.0.0.1:{free_port()}/0"
    # As Celery's worker and beat call it, but for the number of tries
    with app.connection_for_read(url) as connection, pytest.raises(OperationalError):
        connection.ensure_connection(lambda _, pause: pauses.append(pause), 20)
    assert pauses == [1.0] * 20


@pytest.mark.row("redis-killed")
@pytest.mark.parametrize("retry", [False, True], ids=["once", "again"])
@pytest.mark.usefixtures("environment")
def test_a_task_is_sent_once_its_broker_is_back(tmp_path: Path, retry: bool) -> None:
    with app.connection_for_write(address("redis", PORT)) as connection:
        producer = app.amqp.Producer(connection, auto_declare=False)
        with server("redis", tmp_path / "redis", PORT):
            send_task(producer, retry)
        with pytest.raises(OperationalError):
            send_task(producer, retry)
        with server("redis", tmp_path / "redis", PORT):
            send_task(producer, retry)


@pytest.mark.row("redis-killed")
def test_a_worker_with_tasks_in_hand_outlives_its_redis(
    worker: "subprocess.Popen[bytes]", ledger: Ledger, simulator: SimulatorControl, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    # Given more tasks than the worker can carry out at once, so that one is fetched ahead
    with server("redis", tmp_path / "redis", PORT):
        wait_until(lambda: " ready." in log.read_text(), "the worker", 30)
        simulator.fault("slow", delay=4, times=None)
        for name in ("one", "two", "three"):
            send(ledger, name)
        wait_until(lambda: log.read_text().count(" received") >= 3, "three tasks")
    # When Redis was killed, and is there again
    wait_until(lambda: "Connection to broker lost" in log.read_text(), "the loss to be seen")
    simulator.clear()
    with server("redis", tmp_path / "redis", PORT):
        send(ledger, "after")
        # Then the same worker carries out the next one
        wait_until(
            lambda: (ledger.get("after") or {})["state"] == "done", "the next update", seconds=30
        )
    assert worker.poll() is None
    assert "Unrecoverable" not in log.read_text()
