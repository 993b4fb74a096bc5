"""A restore in a process of its own, to which a signal comes at one of its steps."""

import os
import signal
from collections.abc import Callable
from itertools import count
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from pymongo.collection import Collection
from pymongo.database import Database

from market.storage import restore_lock
from market.storage.database import connect
from market.storage.restore import restore

WRITES = (
    (Collection, ("insert_one", "rename", "delete_one")),
    (Database, ("drop_collection",)),
)
processes = get_context("forkserver")  # a new one takes milliseconds, and inherits no connection
processes.set_forkserver_preload(["market.storage.restore", "tests.harness.killed_restore"])


def restoring(
    uri: str, database: str, file: Path, *, at: int, lease_seconds: int = 30
) -> BaseProcess:
    """A restore that SIGKILL ends at a step of its exchange: odd `at` after, even ones before it.

    The first write of the exchange is its step 0. With a negative `at` SIGSTOP comes instead,
    once the first collection is written.
    """
    process = processes.Process(target=_restore, args=(uri, database, file, at, lease_seconds))
    process.start()
    return process


def _restore(uri: str, database: str, file: Path, at: int, lease_seconds: int) -> None:
    restore_lock.LEASE_SECONDS = lease_seconds
    told = count()

    def stop(*_: object) -> None:
        if next(told) == 0:
            os.kill(os.getpid(), signal.SIGSTOP)

    if at < 0:
        restore(connect(uri, database), file, replace=True, report_progress=stop)
        return
    steps: list[str] = []
    for owner, names in WRITES:
        for name in names:
            setattr(owner, name, _killed(getattr(owner, name), name, at, steps))
    restore(connect(uri, database), file, replace=True)


def _killed(write: Any, name: str, at: int, steps: list[str]) -> Callable[..., Any]:
    def carried_out(*arguments: Any, **named: Any) -> Any:
        if not steps and name != "insert_one":
            return write(*arguments, **named)  # what is dropped before the exchange
        steps.append(name)
        last = len(steps) == at // 2 + 1
        if last and at % 2 == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        found = write(*arguments, **named)
        if last:
            os.kill(os.getpid(), signal.SIGKILL)
        return found

    return carried_out
