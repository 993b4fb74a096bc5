"""Celery's own log lines: as ours, with the update they are about, without the routine."""

import logging
import re
import sys

from celery.signals import setup_logging, task_postrun, task_prerun

import logs
from settings import load_or_exit

# Every few seconds, day and night: told only when one fails.
ROUTINE = frozenset(
    {
        *("tasks.schedule.sweep", "tasks.schedule.ensure_slot"),
        *("tasks.repair.plan", "tasks.repair.mend", "tasks.notify.tell"),
    }
)
OF_TASKS = ("celery.worker.strategy", "celery.app.trace", "celery.beat")
INGEST = "tasks.ingest.ingest"
ONLY_ARGUMENT = re.compile(r"^\('([^']+)',\)$")


def write_as_ours() -> None:
    """Has Celery leave its logging to us, in each of its processes."""
    setup_logging.connect(_set_up)
    task_prerun.connect(_begin)
    task_postrun.connect(_end)


def _set_up(**_: object) -> None:
    process = next((word for word in sys.argv if word in ("worker", "beat")), "celery")
    load_or_exit()  # whose secrets no line shows
    logs.set_up(process)
    for name in OF_TASKS:
        logging.getLogger(name).addFilter(tell)


def tell(record: logging.LogRecord) -> bool:
    """Whether a line of Celery's is worth it; names its task, and the update where that is known.

    The worker's parent says what came before any code of the task has run.
    """
    fields = record.__dict__
    data = fields.pop("data", None)
    if isinstance(data, dict):
        fields["task"], fields["task_id"] = data.get("name"), data.get("id")
        if fields["task"] == INGEST and (found := ONLY_ARGUMENT.match(str(data.get("args")))):
            fields["update"] = found[1]
    elif record.name == "celery.beat" and isinstance(record.args, tuple) and record.args:
        fields["task"] = record.args[-1]
    return record.levelno > logging.INFO or fields.get("task") not in ROUTINE


def _begin(task_id: str, task: object, **_: object) -> None:
    logs.wipe()
    logs.note(task=getattr(task, "name", None), task_id=task_id)


def _end(**_: object) -> None:
    logs.wipe()
