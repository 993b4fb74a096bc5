"""A home with processes that a test starts and stops."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

import settings as project
from supervisor import process_plan
from supervisor.control import Processes
from supervisor.state_dir import StateDir
from supervisor.supervisor import supervise
from tests.harness.supervised import (
    plan_of,
    steady,
    until,
)


@pytest.fixture
def facade(folder: StateDir, monkeypatch: pytest.MonkeyPatch) -> Iterator[Processes]:
    """The facade of a home with two small processes, `mongodb` and `api`."""
    small = plan_of(
        steady(folder, "mongodb", stage=3), steady(folder, "api", needs=("mongodb",), stage=2)
    )
    threads: list[threading.Thread] = []

    def launch(self: Processes) -> None:
        if not self.supervised() and not any(thread.is_alive() for thread in threads):
            arguments = (folder, threading.Event(), small)
            threads.append(threading.Thread(target=supervise, args=arguments))
            threads[-1].start()

    def names(_settings: project.Settings) -> list[str]:
        return ["mongodb", "api"]

    monkeypatch.setattr(Processes, "ensure_supervisor", launch)
    monkeypatch.setattr(process_plan, "names", names)
    facade = Processes(folder.home)
    yield facade
    facade.down()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()


@pytest.fixture
def settings(folder: StateDir) -> project.Settings:
    environment = {"KOINX_HOME": str(folder.home), "KOINX_ENV_FILE": ""}
    return project.load(environment, running=False)


def until_ready(facade: Processes, name: str) -> None:
    until(lambda: (p := facade.overview().get(name)) and p["ready"])


def wait_ready(facade: Processes, serial: int, *names: str) -> dict[str, Any]:
    for overview in facade.wait(serial, 10):
        found = [overview.get(name) for name in names]
        if all(process and process["ready"] for process in found):
            return {p["name"]: p for p in overview.processes}
    raise AssertionError(facade.overview())
