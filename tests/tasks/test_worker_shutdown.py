"""A worker with a task in hand is to end: it is asked to, or meets an error that nobody knows."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from bench.harness.services import wait_until
from settings import ROOT

pytestmark = pytest.mark.system

SECONDS = 60
NAP = 600
WORKER = f"""
import time
from celery.signals import worker_ready
from celery.worker import state
from tasks import worker_shutdown
from tasks.app import app

@app.task(name="nap", time_limit={NAP}, soft_time_limit={NAP})
def nap():
    time.sleep({NAP})

@app.task(name="list", time_limit={NAP}, soft_time_limit={NAP})
def work_through_a_list():
    while not worker_shutdown.has_begun():
        time.sleep(0.05)

def fail():
    assert not state.active_requests, "unheard of"

@worker_ready.connect
def begin(sender, **_):
    if FAILING:
        nap.apply_async(queue="naps")
        sender.hub.call_repeatedly(0.1, fail)
    else:
        work_through_a_list.apply_async(queue="naps")

options = "-Q naps -n napping@%h -c 1 --without-gossip --without-mingle"
app.worker_main(["worker", *options.split()])
"""


@pytest.fixture
def start(
    environment: None, tmp_path: Path
) -> Iterator[Callable[[bool], "subprocess.Popen[bytes]"]]:
    """Starts such a worker, that is to meet an error or not; its log is `tmp_path / "log"`."""
    workers: list[subprocess.Popen[bytes]] = []

    def started(failing: bool) -> "subprocess.Popen[bytes]":
        program = f"FAILING = {failing}" + WORKER
        with (tmp_path / "log").open("wb") as log:
            worker = subprocess.Popen(
                [sys.executable, "-c", program],
                cwd=ROOT,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        workers.append(worker)
        return worker

    yield started
    for worker in workers:
        with suppress(ProcessLookupError):
            os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()


def test_it_ends_before_its_task_does(
    start: Callable[[bool], "subprocess.Popen[bytes]"], tmp_path: Path
) -> None:
    assert start(True).wait(SECONDS) == 1
    log = (tmp_path / "log").read_text()
    assert "unheard of" in log
    assert "ended at once" in log


@pytest.mark.row("killed-often")
def test_a_task_that_works_through_a_list_hears_of_the_end(
    start: Callable[[bool], "subprocess.Popen[bytes]"], tmp_path: Path
) -> None:
    worker, log = start(False), tmp_path / "log"
    wait_until(lambda: "Task list" in log.read_text(), "the task", SECONDS)
    worker.terminate()
    assert worker.wait(SECONDS) == 0
    assert "succeeded" in log.read_text()
