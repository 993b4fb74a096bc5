"""Starts, stops and watches processes on behalf of the command line and the dashboard."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypedDict, cast

import settings as project
from settings import ROOT, Settings
from supervisor import desired_state, log_files, process_plan
from supervisor.desired_state import DesiredState
from supervisor.process import environment
from supervisor.process_identity import Identity
from supervisor.state_dir import STATE_FILE, SUPERVISOR_FILE, SUPERVISOR_LOCK, StateDir
from supervisor.supervisor import supervise

POLL_INTERVAL = 0.05
FROZEN_AFTER = 10.0  # seconds without a change of state in which a supervisor must write one
MAX_LAUNCHES = 3  # attempts to start a supervisor

State = Literal["running", "starting", "stopped", "crashed", "failed"]


class Process(TypedDict):
    """One process as `status --json` shows it; null where a value is unknown."""

    name: str
    state: State
    ready: bool
    pid: int | None
    url: str | None
    uptime_s: float | None
    restarts: int
    cpu_percent: float | None
    rss_bytes: int | None


class Detail(Process):
    """A process with what only the dashboard shows.

    `exit_code` is null for a process that another supervisor had started.
    """

    exit_code: int | None
    fingerprint: str | None


@dataclass(frozen=True)
class Overview:
    """All processes at one moment; `serial` is the request that the supervisor last read."""

    serial: int
    problem: str | None
    processes: list[Detail]
    prepare: Detail | None

    def get(self, name: str) -> Detail | None:
        """Returns the process of this name."""
        return next((p for p in self.processes if p["name"] == name), None)


class SupervisorError(Exception):
    """The supervisor cannot be started; the text says why."""


class Processes:
    """The processes of one home. A request returns its serial, which later `Overview`s carry."""

    def __init__(self, home: Path | None = None) -> None:
        self.state_dir = StateDir(home or project.home())
        self._launches = 0
        self._supervisor: subprocess.Popen[bytes] | None = None

    def supervised(self) -> bool:
        """Returns whether a supervisor is running."""
        return self.state_dir.is_locked(SUPERVISOR_LOCK)

    def overview(self) -> Overview:
        """Returns what the supervisor published last; without one, what of that is still true."""
        state = self.state_dir.read(STATE_FILE)
        supervised = self.supervised()
        prepare = state.get("prepare")
        return Overview(
            int(state.get("serial", 0)),
            state.get("problem"),
            [_detail(record, supervised) for record in state.get("processes", [])],
            _detail(prepare, supervised) if prepare else None,
        )

    def up(self, settings: Settings) -> int:
        """Runs all processes that these settings need, each with these settings."""
        names = process_plan.names(settings)
        return self._request(lambda state: state.up(names, settings.environment()))

    def start(self, name: str, settings: Settings) -> int:
        """Runs one process, with what it needs.

        `settings` count only if nothing is running: otherwise it gets those of the others.
        """

        def start(state: DesiredState) -> DesiredState:
            if state.down or not state.settings:
                state = replace(state, settings=settings.environment(), wanted=())
            return state.start([*process_plan.needs(name, settings), name])

        return self._request(start)

    def start_all(self, settings: Settings) -> int:
        """Runs all processes; `settings` count only if nothing is running."""
        return self.up(self.settings() or settings)

    def settings(self) -> Settings | None:
        """Returns the settings of `up` or `start`; None if nothing was started.

        The addresses of the embedded servers are not among them.
        """
        state = desired_state.read(self.state_dir)
        if state.down or not state.settings:
            return None
        return project.load(state.settings | {"KOINX_ENV_FILE": ""}, running=False)

    def stop(self, name: str) -> int:
        """Stops one process."""
        return self._request(lambda state: state.stop(name))

    def restart(self, name: str, settings: Settings) -> int:
        """Stops one process, then runs it again; starts it if it is not running."""
        if self.settings() is None:
            return self.start(name, settings)
        return self._request(lambda state: state.restart(name))

    def down(self) -> None:
        """Stops all processes, then the supervisor; returns when none is left."""
        if not self.state_dir.run.is_dir():
            return
        serial = self._change(lambda state: state.stop_all())
        last_state, since = b"", time.monotonic()
        while True:
            if not self.supervised():
                overview = self.overview()
                if overview.serial == serial and not any(p["pid"] for p in overview.processes):
                    self._await_supervisor_exit()
                    return
                # No supervisor is left: this process takes the lock and does it.
                supervise(self.state_dir, threading.Event())
            if (state := self._published()) != last_state:
                last_state, since = state, time.monotonic()
            elif time.monotonic() - since > FROZEN_AFTER and (supervisor := self._supervisor_id()):
                supervisor.signal(signal.SIGKILL)
            time.sleep(POLL_INTERVAL)

    def wait(self, serial: int, timeout: float) -> Iterator[Overview]:
        """Yields overviews that know of request `serial`, repeatedly for `timeout` seconds.

        Keeps a supervisor running in the meantime; raises SupervisorError if that fails.
        """
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            self.ensure_supervisor()
            overview = self.overview()
            if overview.serial >= serial:
                yield overview
            time.sleep(POLL_INTERVAL)

    def ensure_supervisor(self) -> None:
        """Starts a supervisor if none is running; it survives this process."""
        if self.supervised():
            self._launches = 0
            return
        if self._supervisor is not None and self._supervisor.poll() is None:
            return
        if self._launches == MAX_LAUNCHES:
            output = " / ".join(self.last_lines("supervisor", 3))
            raise SupervisorError(f"the supervisor does not start: {output}")
        self._launches += 1
        self.state_dir.create()
        with self.state_dir.log("supervisor").open("ab") as log:
            self._supervisor = subprocess.Popen(
                [sys.executable, "-m", "supervisor.supervisor"],
                cwd=ROOT,
                env=environment(self.state_dir.home) | {"KOINX_ENV_FILE": ""},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        # Without a wait for its exit it would stay behind as a zombie.
        threading.Thread(target=self._supervisor.wait, daemon=True).start()

    def last_lines(self, name: str, count: int = 10) -> list[str]:
        """Returns the last lines of a process's output."""
        return log_files.last_lines(self.state_dir.log(name), count)

    def _request(self, change: Callable[[DesiredState], DesiredState]) -> int:
        serial = self._change(change)
        self.ensure_supervisor()
        return serial

    def _change(self, change: Callable[[DesiredState], DesiredState]) -> int:
        self.state_dir.create()
        return desired_state.update(self.state_dir, change)

    def _published(self) -> bytes:
        try:
            return (self.state_dir.run / STATE_FILE).read_bytes()
        except OSError:
            return b""

    def _await_supervisor_exit(self) -> None:
        # It releases its lock a moment before it is gone.
        deadline = time.monotonic() + FROZEN_AFTER
        while (supervisor := self._supervisor_id()) and supervisor.alive():
            if time.monotonic() > deadline:
                supervisor.signal(signal.SIGKILL)
            time.sleep(POLL_INTERVAL)

    def _supervisor_id(self) -> Identity | None:
        identity = Identity.from_record(self.state_dir.read(SUPERVISOR_FILE))
        return identity if identity and identity.pid != os.getpid() else None


def _detail(record: dict[str, Any], supervised: bool) -> Detail:
    detail = {key: record.get(key) for key in Detail.__annotations__}
    if not supervised:
        # Nothing checks any more whether it is ready.
        detail["ready"] = False
        identity = Identity.from_record(record.get("identity"))
        if identity is None or not identity.alive():
            unknown = dict.fromkeys(("pid", "url", "uptime_s", "cpu_percent", "rss_bytes"))
            detail |= unknown | {"state": "stopped"}
    return cast(Detail, detail)
