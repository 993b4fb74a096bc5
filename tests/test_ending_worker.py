"""A worker with a task in hand meets an error that nobody knows."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from settings import ROOT

SECONDS = 60
NAP = 600
WORKER = f"""
import time
from celery.signals import worker_ready
from celery.worker import state
from tasks.app import app

@app.task(name="nap", time_limit={NAP}, soft_time_limit={NAP})
def nap():
    time.sleep({NAP})

def fail():
    assert not state.active_requests, "unheard of"

@worker_ready.connect
def begin(sender, **_):
    nap.apply_async(queue="naps")
    sender.hub.call_repeatedly(0.1, fail)

options = "-Q naps -n napping@%h -c 1 --without-gossip --without-mingle"
app.worker_main(["worker", *options.split()])
"""


@pytest.mark.usefixtures("environment")
def test_it_ends_before_its_task_does(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [sys.executable, "-c", WORKER],
            cwd=ROOT,
            stdout=output,
            stderr=output,
            start_new_session=True,
        ) as worker,
    ):
        try:
            assert worker.wait(SECONDS) == 1
        finally:
            os.killpg(worker.pid, 9)
    assert "unheard of" in log.read_text()
    assert "ended at once" in log.read_text()
