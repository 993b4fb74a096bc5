"""Shuts a worker down: long tasks stop early, and an unknown error ends the process at once."""

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
    """Whether the worker of this process is shutting down.

    Celery waits for the current tasks, and takes no others meanwhile. So a task that works through
    a list checks before each entry, and leaves the rest to the next run.
    """
    return _begun[0] != 0


class ShutdownStep(StartStopStep):
    """Tells the current tasks, and ends the process as soon as an unknown error stops it.

    Celery waits for the current tasks then as well, for up to two minutes. They are not lost: each
    has its lease, and is restarted when that expires. The supervisor ends their processes.
    """

    # Before the consumer, which never finishes its start; what comes after is closed too late.
    requires = ("celery.worker.components:Pool",)

    def close(self, worker: Any) -> None:
        """Runs first when a worker stops; `exitcode` says whether an error is the reason."""
        _begun[0] = 1
        if worker.exitcode == EX_FAILURE:
            log.critical("worker ended at once: its tasks are restarted once their leases expire")
            os._exit(EX_FAILURE)


def install(app: Celery) -> None:
    """Adds the step to every worker of the app."""
    app.steps["worker"].add(ShutdownStep)
