"""Reliability: the worker is wedged: it answers pings, but takes no tasks."""

import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from dash_ui import probes
from dash_ui.probes import Probe
from settings import ROOT, Settings
from tasks import schedule
from tests.support import wait_until

IDLE = 3.0


@pytest.mark.row("worker-wedged")
def test_it_is_seen_although_it_answers(
    environment: None,
    settings: Settings,
    redis: str,
    database: object,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given a worker that gets a task every moment, as beat's sweep gives it one
    monkeypatch.setattr(probes, "IDLE", IDLE)
    node = f"wedged@{socket.gethostname()}"
    command = "celery -A tasks worker -Q maintenance --concurrency 1 --without-gossip -n wedged@%h"
    with (
        (tmp_path / "log").open("wb") as log,
        subprocess.Popen(
            [sys.executable, "-m", *command.split()], cwd=ROOT, stdout=log, stderr=log
        ) as worker,
    ):
        try:
            answers = Probe("worker", f"{node} {redis} {settings.run_folder / 'worker.json'}")
            check = answers.check()

            def ready() -> bool:
                schedule.sweep.apply_async()
                return check()

            wait_until(ready, "the worker to be ready", 20)
            heartbeat = settings.run_folder / "worker.json"
            wait_until(heartbeat.exists, "a sign of life")

            # When its pool stands still
            [child] = psutil.Process(worker.pid).children()
            child.suspend()

            # Then it still answers, but is not ready
            ping = probes._celery(f"{node} {redis}")
            wait_until(lambda: not ready(), "the worker to be taken for wedged", 20)
            assert ping()
            child.resume()
            wait_until(ready, "the worker to be ready again", 20)
        finally:
            family = psutil.Process(worker.pid).children()
            worker.kill()
            for one in family:
                one.kill()
