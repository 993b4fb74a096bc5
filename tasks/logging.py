"""Formats Celery's log lines as ours, names their update, and drops the routine ones."""

import logging
import re
import sys

from celery.signals import setup_logging, task_postrun, task_prerun

import logs
from settings import load_or_exit

# They run every few seconds, and are logged only when they fail.
ROUTINE = frozenset(
    {
        *("tasks.schedule.sweep", "tasks.schedule.ensure_slot"),
        *("tasks.repair.plan", "tasks.repair.mend", "tasks.notify.tell"),
    }
)
TASK_LOGGERS = ("celery.worker.strategy", "celery.app.trace", "celery.beat")
INGEST = "tasks.ingest.ingest"
ONLY_ARGUMENT = re.compile(r"^\('([^']+)',\)$")


def install() -> None:
    """Replaces Celery's logging in each of its processes."""
    setup_logging.connect(_set_up)
    task_prerun.connect(_begin)
    task_postrun.connect(_end)


def _set_up(**_: object) -> None:
    process = next((word for word in sys.argv if word in ("worker", "beat")), "celery")
    load_or_exit()  # registers secrets, which no line shows
    logs.set_up(process)
    for name in TASK_LOGGERS:
        logging.getLogger(name).addFilter(is_logged)


def is_logged(record: logging.LogRecord) -> bool:
    """Whether to log a line of Celery; names its task, and the update where that is known.

    The worker's parent logs such lines before any code of the task has run.
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
