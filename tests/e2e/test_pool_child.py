"""Reliability: a pool child is killed, as by a machine without memory: its update is tried again,
but not for ever."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest
import redis as redis_client

from bench.harness.services import SimulatorControl, wait_until
from bridge.connection import Connection
from market.ingest.run_update import MAX_ATTEMPTS
from market.model.documents import Quote, Update
from market.storage.database import Document
from settings import ROOT
from tasks import ingest
from tasks.dependencies import Services
from tests.harness.worker import in_a_worker

NAMES = ("good", "bad")
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
WORKER = "celery -A tasks worker -Q updates -c 2 --without-gossip --without-mingle -l INFO"


@pytest.fixture
def on(environment: None, database: object, connection: Connection) -> Iterator[Services]:
    with in_a_worker() as made:
        yield made


@pytest.fixture
def worker(on: Services, tmp_path: Path) -> Iterator[psutil.Process]:
    """A real worker with two pool children."""
    with (
        (tmp_path / "log").open("wb") as log,
        subprocess.Popen(
            [sys.executable, "-m", *WORKER.split()], cwd=ROOT, stdout=log, stderr=log
        ) as process,
    ):
        parent = psutil.Process(process.pid)
        try:
            yield parent
        finally:
            family = parent.children()
            process.kill()
            for one in family:
                one.kill()


def update(name: str) -> Document:
    found: Document = Update.objects(id=name).get().to_mongo().to_dict()
    return found


def waiting(redis: str) -> int:
    """How many tasks Celery keeps, given out or not."""
    with redis_client.Redis.from_url(redis) as client:
        return int(client.hlen("unacked") + client.llen("updates"))


@pytest.mark.row("pool-child-killed")
def test_its_update_ends_once_and_one_that_kills_each_child_is_given_up(
    on: Services, worker: psutil.Process, simulator: SimulatorControl, redis: str, tmp_path: Path
) -> None:
    # Given two updates in work, of which one has killed whoever took it before
    simulator.fault("slow", delay=60, times=None)
    for name in NAMES:
        on.ledger.receive(name, trigger="event", slot=None, hops={})
    Update.objects(id="bad").update(set__tries=MAX_ATTEMPTS - 1)
    for name in NAMES:
        ingest.ingest.apply_async((name,))
    wait_until(lambda: all(update(name)["state"] == "running" for name in NAMES), "claims", 20)

    # When both pool children are killed
    children = worker.children()
    for child in children:
        child.kill()

    # Then Celery gives out each task once more, and they end: the leases are still held
    wait_until(lambda: not set(children) & set(worker.children()), "other children")
    log = tmp_path / "log"
    wait_until(lambda: log.read_text().count(" received") == 4, "each task to come again")
    wait_until(lambda: waiting(redis) == 0, "no task to be left")
    assert [(update(name)["state"], update(name)["fence"]) for name in NAMES] == [
        ("running", 1)
    ] * 2

    # When the leases have run out, and the sweeper starts them again
    simulator.clear()
    Update.objects().update(set__lease_until=LONG_AGO)
    assert sorted(on.ledger.sweep()) == sorted(NAMES)
    for name in NAMES:
        ingest.ingest.apply_async((name,))

    # Then one ends once, and what kills every child that takes it is given up with the reason
    wait_until(lambda: all(update(name)["finished_at"] for name in NAMES), "both to end")
    good, bad = map(update, NAMES)
    assert (good["state"], good["fence"]) == ("done", 2)
    assert Quote.objects.count() == good["counts"]["stored"] >= 20
    assert (bad["state"], bad["error"]) == ("failed", f"{MAX_ATTEMPTS} attempts did not end")
