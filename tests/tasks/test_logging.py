"""What is told of Celery's own lines."""

import logging
from typing import Any

import pytest

from tasks.logging import is_logged

ID = "f429aaea"


def record(logger: str, level: int = logging.INFO, **fields: Any) -> logging.LogRecord:
    return logging.makeLogRecord({"name": logger, "levelno": level, **fields})


@pytest.mark.parametrize("name", ["tasks.schedule.sweep", "tasks.repair.mend"])
def test_routine_is_told_only_when_it_fails(name: str) -> None:
    data = {"id": ID, "name": name, "args": "()"}
    assert not is_logged(record("celery.worker.strategy", data=data))
    assert not is_logged(record("celery.app.trace", data=data))
    assert not is_logged(record("celery.beat", args=("its entry", name)))
    failed = record("celery.app.trace", logging.ERROR, data=data)
    assert is_logged(failed)
    assert (failed.__dict__["task"], failed.__dict__["task_id"]) == (name, ID)
    assert "data" not in failed.__dict__


def test_a_received_task_names_its_update() -> None:
    data = {"id": ID, "name": "tasks.ingest.ingest", "args": "('2026-11-22T08:30Z',)"}
    received = record("celery.worker.strategy", data=data)
    assert is_logged(received)
    assert received.__dict__["update"] == "2026-11-22T08:30Z"


def test_lines_without_a_task_stay_as_they_are() -> None:
    assert is_logged(record("celery.beat", msg="beat: Starting..."))
