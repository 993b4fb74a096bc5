"""The API as Granian serves it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import requests

from bench.harness.services import free_port, wait_until
from settings import Settings
from supervisor.process_plan import plan


@contextmanager
def granian(settings: Settings, folder: Path) -> Iterator[tuple[str, psutil.Process]]:
    """The API as it is started in use, with one process: its address, and the server."""
    settings = settings.model_copy(update={"api_port": free_port(), "api_workers": 1})
    spec = plan(settings, lambda _: 0, lambda _: "key")["api"]
    url = f"http://127.0.0.1:{settings.api_port}"

    def answers() -> bool:
        try:
            return requests.get(f"{url}/health", timeout=5).ok
        except requests.ConnectionError:
            return False

    with (
        (folder / "log").open("wb") as log,
        psutil.Popen(spec.command, env=os.environ | spec.environment, stderr=log, stdout=log) as it,
    ):
        try:
            wait_until(answers, "the API")
            yield url, it
        finally:
            if it.poll() is None:
                it.terminate()
            it.wait(20)
