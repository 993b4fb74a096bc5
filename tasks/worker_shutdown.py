"""A worker's end: its long tasks hear of it, and an error that nobody knows ends it at once."""

import mmap
import os
from typing import Any

from celery import Celery
from celery.bootsteps import StartStopStep
from celery.platforms import EX_FAILURE

import logs

log = logs.get(__name__)

_begun = mmap.mmap(-1, 1)  # one byte, shared with the pool's processes: they are forked


def has_begun() -> bool:
    """Whether the worker of this process is to end.

    Celery waits for the tasks in hand, and nobody takes others meanwhile. So one that works through
    a list asks before each entry, and leaves the rest to the next run.
    """
    return _begun[0] != 0


class Ending(StartStopStep):
    """Tells the tasks in hand, and ends the process as soon as an unknown error is to end it.

    Celery waits for the tasks in hand then as well, for up to two minutes. They are not lost: each
    has its lease, and is started again when that is over. Their processes are ended by whoever
    watches this one.
    """

    # Before the consumer, which never finishes its start; what comes after is closed too late.
    requires = ("celery.worker.components:Pool",)

    def close(self, worker: Any) -> None:
        """Called first of all that ends a worker; `exitcode` says whether it was an error."""
        _begun[0] = 1
        if worker.exitcode == EX_FAILURE:
            log.critical("ended at once: what was in hand is started again once its lease is over")
            os._exit(EX_FAILURE)


def end_at_once_when_unknown(app: Celery) -> None:
    """Has every worker of the app end so."""
    app.steps["worker"].add(Ending)
