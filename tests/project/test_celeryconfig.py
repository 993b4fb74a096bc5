"""Celery's settings, as the app really has them."""

import os
import subprocess
import sys
from typing import Any

import pytest

from settings import ROOT, Settings
from tasks.app import app, import_tasks

pytestmark = pytest.mark.usefixtures("environment")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("accept_content", ["json"]),
        ("task_serializer", "json"),
        ("result_serializer", "json"),
        ("task_acks_late", True),
        ("task_reject_on_worker_lost", True),
        ("task_ignore_result", True),
        ("task_soft_time_limit", 90),
        ("task_time_limit", 120),
        ("task_default_queue", "updates"),
        ("worker_prefetch_multiplier", 1),
        ("worker_cancel_long_running_tasks_on_connection_loss", True),
        ("worker_soft_shutdown_timeout", 30),
        ("redis_socket_timeout", 3),
        ("redis_socket_connect_timeout", 3),
        ("redis_backend_health_check_interval", 10),
        ("broker_connection_max_retries", None),
        ("broker_connection_retry_on_startup", True),
        ("beat_scheduler", "tasks.beat_scheduler:SlotScheduler"),
        ("timezone", "UTC"),
    ],
)
def test_what_reliability_rests_on(name: str, value: object) -> None:
    assert app.conf[name] == value


@pytest.mark.row("redis-frozen")
def test_the_broker_s_connection_never_hangs_nor_gives_a_running_task_out_again() -> None:
    options: dict[str, Any] = app.conf.broker_transport_options
    assert (options["socket_timeout"], options["socket_connect_timeout"]) == (3, 3)
    assert options["health_check_interval"] == 10
    assert options["socket_keepalive"]
    assert options["visibility_timeout"] == 180
    import_tasks()
    ours = [task for name, task in app.tasks.items() if name.startswith("tasks.")]
    for task in ours:
        limit = task.time_limit or app.conf.task_time_limit
        assert (task.soft_time_limit or app.conf.task_soft_time_limit) < limit < 180


@pytest.mark.parametrize(
    ("task", "queue"),
    [
        ("tasks.ingest.ingest", "updates"),
        ("tasks.notify.tell", "maintenance"),
        ("tasks.schedule.publish_update", "maintenance"),
        ("tasks.schedule.ensure_slot", "maintenance"),
        ("tasks.schedule.sweep", "maintenance"),
        ("tasks.rollup.roll_up", "maintenance"),
    ],
)
def test_upkeep_never_waits_behind_updates(task: str, queue: str) -> None:
    assert app.amqp.router.route({}, task)["queue"].name == queue


def test_beat_sends_each_task_in_time_and_none_that_is_stale() -> None:
    schedule = app.conf.beat_schedule
    assert {entry["task"]: entry["options"]["expires"] for entry in schedule.values()} == {
        "tasks.schedule.publish_update": 60,
        "tasks.schedule.ensure_slot": 60,
        "tasks.schedule.sweep": 5,
        "tasks.notify.tell": 10,
        "tasks.repair.plan": 10,
        "tasks.repair.mend": 5,
        "tasks.rollup.roll_up": 300,
    }
    assert schedule["sweep"]["schedule"] == 5
    assert schedule["ensure-slot"]["schedule"] == 60
    assert schedule["publish-update"]["kwargs"] == {"scheduled": True}


def report(**settings: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "celery", "-A", "tasks", "report"],
        cwd=ROOT,
        env=os.environ | settings,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_broker_is_the_one_that_the_settings_name(settings: Settings) -> None:
    ran = report(CRON_SCHEDULE="*/2 * * * *")
    assert ran.returncode == 0, ran.stderr
    password, _, place = settings.server("redis_url").rpartition("@")
    assert f"@{place.removesuffix('0')}" in ran.stdout
    assert password.rpartition(":")[2] not in ran.stdout
    assert "<slots: */2 * * * *>" in ran.stdout


def test_wrong_settings_stop_it_with_every_error_and_no_traceback() -> None:
    ran = report(COINGECKO_API_KYE="x", API_PORT="zero", CRON_SCHEDULE="often")
    assert ran.returncode != 0
    said = ran.stdout + ran.stderr
    for error in (
        "Unknown setting COINGECKO_API_KYE in the environment; did you mean COINGECKO_API_KEY?",
        "API_PORT='zero': a whole number from 1 to 65535",
        "CRON_SCHEDULE='often': five cron fields",
    ):
        assert error in said
    assert "Traceback" not in said
