"""A worker's end on an error that nobody knows: at once, instead of with its last task."""

import os
from typing import Any

from celery import Celery
from celery.bootsteps import StartStopStep
from celery.platforms import EX_FAILURE

import logbook

log = logbook.get(__name__)


class EndAtOnce(StartStopStep):
    """Ends the process as soon as an unknown error is to end it.

    Celery waits for the tasks in hand then, for up to two minutes, and takes no others. They are
    not lost: each has its lease, and is started again when that is over. Their processes are ended
    by whoever watches this one.
    """

    # Before the consumer, which never finishes its start; what comes after is closed too late.
    requires = ("celery.worker.components:Pool",)

    def close(self, worker: Any) -> None:
        """Called first of all that ends a worker; `exitcode` says whether it was an error."""
        if worker.exitcode == EX_FAILURE:
            log.critical("ended at once: what was in hand is started again once its lease is over")
            os._exit(EX_FAILURE)


def end_at_once_when_unknown(app: Celery) -> None:
    """Has every worker of the app end so."""
    app.steps["worker"].add(EndAtOnce)
