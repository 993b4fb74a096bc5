"""A Celery process that a test starts and ends."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from settings import ROOT

WORKER = ("worker", "-Q", "updates,maintenance", "-c", "2", "--without-gossip", "--without-mingle")


@contextmanager
def celery(output: Path, *arguments: str) -> Iterator[Callable[[], None]]:
    """A real `celery -A tasks …`; gives what kills all of its processes at once."""
    with (
        output.open("wb") as file,
        subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "tasks", *arguments],
            cwd=ROOT,
            stdout=file,
            stderr=file,
            start_new_session=True,
        ) as process,
    ):

        def kill() -> None:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

        try:
            yield kill
        finally:
            kill()
