"""Reliability: the worker is wedged: it answers pings, but takes no tasks."""

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from bench.harness.services import wait_until
from settings import ROOT, Settings
from supervisor import health_checks
from supervisor.celery_client import CeleryClient
from supervisor.health_checks import Check, Probe
from tasks import heartbeat, schedule

IDLE = 3.0
NODE = f"wedged@{socket.gethostname()}"


@pytest.fixture
def worker(
    environment: None, redis: str, database: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[psutil.Process]:
    """One that takes maintenance alone, and that has answered; 3 s of idleness are too many."""
    monkeypatch.setattr(health_checks, "IDLE_TIMEOUT", IDLE)
    monkeypatch.setattr(health_checks, "HEARTBEAT_TIMEOUT", IDLE / 3)
    command = "celery -A tasks worker -Q maintenance --concurrency 1 --without-gossip -n wedged@%h"
    with (
        (tmp_path / "log").open("wb") as log,
        subprocess.Popen(
            [sys.executable, "-m", *command.split()], cwd=ROOT, stdout=log, stderr=log
        ) as started,
    ):
        family = [psutil.Process(started.pid)]
        try:
            broker = CeleryClient(redis, 2)
            wait_until(lambda: broker.ping([NODE]), "the worker to answer", 20)
            family += family[0].children()
            yield family[0]
        finally:
            for one in family:
                one.kill()


@pytest.fixture
def check(worker: psutil.Process, redis: str, settings: Settings) -> Check:
    return Probe("worker", f"{NODE} {redis} {settings.run_folder / 'worker.json'}").check()


def some_task() -> None:
    schedule.sweep.apply_async()


def sign_of_beat() -> None:
    heartbeat.record(heartbeat.BEAT)


def beat() -> None:
    sign_of_beat()
    some_task()


@pytest.mark.row("worker-wedged")
@pytest.mark.parametrize("something_to_do", [beat, some_task, sign_of_beat])
def test_it_is_seen_although_it_answers(
    worker: psutil.Process, check: Check, redis: str, something_to_do: Callable[[], None]
) -> None:
    # Given a worker that gets tasks
    def ready() -> bool:
        something_to_do()
        return check()

    some_task()
    wait_until(ready, "the worker to be ready")

    # When its pool stands still
    [child] = worker.children()
    child.suspend()

    # Then it still answers, but is not ready
    wait_until(lambda: not ready(), "the worker to be taken for wedged", 20)
    assert CeleryClient(redis, 2).ping([NODE])
    child.resume()
    some_task()
    wait_until(ready, "the worker to be ready again", 20)


def waits_for_another() -> None:
    schedule.sweep.apply_async(queue="updates")


def old_sign_of_beat() -> None:
    pass


@pytest.mark.row("worker-wedged")
@pytest.mark.parametrize("nothing_to_do", [old_sign_of_beat, waits_for_another])
def test_one_with_nothing_to_do_is_not_wedged(
    worker: psutil.Process, check: Check, nothing_to_do: Callable[[], None]
) -> None:
    # Given a beat that ended, and at most messages that another worker is to take
    sign_of_beat()
    since = time.monotonic()
    while time.monotonic() < since + 2 * IDLE:
        nothing_to_do()

        # Then a worker that begins nothing is ready all the time
        assert check()

    # And so it is when beat comes back, and takes a moment before its first task
    sign_of_beat()
    assert check()
