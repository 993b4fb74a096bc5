"""A supervisor of small processes."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

import settings as project
from supervisor import desired_state, restart_backoff
from supervisor.health_checks import Probe
from supervisor.process_spec import ProcessSpec
from supervisor.state_dir import STATE_FILE, StateDir
from supervisor.supervisor import Plan, supervise

BEATS = """
import pathlib, subprocess, sys, time
file, children = pathlib.Path(sys.argv[1]), int(sys.argv[2])
for _ in range(children):
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
while True:
    file.write_text(str(time.monotonic_ns()))
    time.sleep(0.05)
"""


def steady(folder: StateDir, name: str, children: int = 0, **changes: Any) -> ProcessSpec:
    """A process that is ready at once and stays."""
    file = str(folder.run / f"{name}.beats")
    return ProcessSpec(
        name=name,
        command=(sys.executable, "-c", BEATS, file, str(children)),
        probe=Probe("heartbeat", file, interval=0.1),
        **changes,
    )


def plan_of(*specs: ProcessSpec) -> Plan:
    return lambda _settings, _port, _key: {spec.name: spec for spec in specs}


def two_steady(folder: StateDir) -> Plan:
    return plan_of(steady(folder, "first"), steady(folder, "second"))


def request_up(folder: StateDir, *names: str) -> None:
    desired_state.update(folder, lambda old: old.up(list(names), {"KOINX_HOME": str(folder.home)}))


def process(folder: StateDir, name: str) -> dict[str, Any]:
    records = folder.read(STATE_FILE).get("processes", [])
    return next((r for r in records if r["name"] == name), {})


def until(condition: Callable[[], Any], seconds: float = 10) -> Any:
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
    return value


def in_home(home: Path) -> list[psutil.Process]:
    """Every process, but this one, whose environment names the home."""
    found = []
    for each in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if each.environ().get("KOINX_HOME") == str(home) and each.pid != os.getpid():
                found.append(each)
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[StateDir]:
    folder = StateDir(tmp_path / "home")
    folder.create()
    yield folder
    for left in in_home(folder.home):
        with suppress(psutil.Error):
            left.kill()
            left.wait(5)


Running = Callable[[Plan], None]


@pytest.fixture
def run(folder: StateDir) -> Iterator[Running]:
    """Runs a supervisor in a thread; the test's end takes everything down."""
    threads: list[threading.Thread] = []

    def start(plan: Plan) -> None:
        thread = threading.Thread(target=supervise, args=(folder, threading.Event(), plan))
        thread.start()
        threads.append(thread)

    yield start
    desired_state.update(folder, lambda old: old.stop_all())
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restart_backoff, "FIRST_PAUSE", 0.1)


def supervisor_process(
    folder: StateDir, plan: Callable[[StateDir], Plan] = two_steady
) -> subprocess.Popen[bytes]:
    """A supervisor in a process of its own; `plan` is imported there by its module's name."""
    code = (
        "import sys, threading; from pathlib import Path\n"
        "from supervisor.state_dir import StateDir; from supervisor.supervisor import supervise\n"
        f"from {plan.__module__} import {plan.__name__}\n"
        "folder = StateDir(Path(sys.argv[1]))\n"
        f"supervise(folder, threading.Event(), {plan.__name__}(folder))"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code, str(folder.home)], cwd=project.ROOT, start_new_session=True
    )
