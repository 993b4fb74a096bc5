"""The Celery app: who knows the tasks, and who holds what they need."""

import gc
import subprocess
import sys

import pytest
from celery.signals import worker_before_create_process

from settings import PUBLIC_URL, ROOT
from tasks.app import app, import_tasks

pytestmark = pytest.mark.system

FOR_TASKS = ("market.storage.quote_store", "pymongo", "mongoengine", "requests", "nats", "limits")


@pytest.mark.usefixtures("environment")
def test_the_app_knows_its_tasks_and_connects_to_nothing_by_itself() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", "import tasks, threading; print(threading.active_count())"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert ran.stdout == "1\n"
    import_tasks()
    assert {name for name in app.tasks if not name.startswith("celery.")} == {
        "tasks.ingest.ingest",
        "tasks.notify.tell",
        "tasks.repair.mend",
        "tasks.repair.plan",
        "tasks.rollup.roll_up",
        "tasks.schedule.ensure_slot",
        "tasks.schedule.publish_update",
        "tasks.schedule.sweep",
    }


@pytest.mark.usefixtures("environment")
def test_beat_holds_nothing_of_what_tasks_need() -> None:
    script = "import sys; from tasks.app import app; app.loader.init_worker(); app.finalize();"
    ran = subprocess.run(
        [sys.executable, "-c", f"{script} print(*(n for n in {FOR_TASKS} if n in sys.modules))"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert ran.stdout.split() == []


@pytest.mark.usefixtures("environment")
def test_no_worker_stores_real_prices_as_simulated_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COINGECKO_API_URL", PUBLIC_URL)
    ran = subprocess.run(
        [sys.executable, "-m", "celery", "-A", "tasks", "worker"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode != 0
    assert "MARKET=demo stores simulated prices, but COINGECKO_API_URL is api.c" in ran.stderr


def test_what_a_child_inherits_is_left_alone_by_the_garbage_collector() -> None:
    try:
        worker_before_create_process.send(sender=None)
        assert gc.get_freeze_count() > 10_000
    finally:
        gc.unfreeze()
