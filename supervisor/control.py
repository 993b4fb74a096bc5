"""Start, stop and watch the processes: what the command line and the dashboard call."""

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
from supervisor.desired_state import Wish
from supervisor.process import environment
from supervisor.process_identity import Identity
from supervisor.state_dir import STATE_FILE, SUPERVISOR_FILE, SUPERVISOR_LOCK, Folder
from supervisor.supervisor import supervise

POLL = 0.05
STILL = 10.0  # seconds without a sign of life after which a supervisor counts as frozen
LAUNCHES = 3  # tries to start a supervisor

State = Literal["running", "starting", "stopped", "crashed", "failed"]


class Process(TypedDict):
    """One process as `status --json` shows it; null where there is no such figure."""

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
    """A process with what the dashboard shows besides.

    `exit_code` is null for one that another supervisor had started: nobody told us.
    """

    exit_code: int | None
    fingerprint: str | None


@dataclass(frozen=True)
class Overview:
    """All processes at one moment; `serial` is the wish that the supervisor last read."""

    serial: int
    problem: str | None
    processes: list[Detail]
    prepare: Detail | None

    def get(self, name: str) -> Detail | None:
        """The process of this name."""
        return next((p for p in self.processes if p["name"] == name), None)


class SupervisorError(Exception):
    """The supervisor cannot be had; says why."""


class Processes:
    """The processes of one home. A wish returns its serial, which its `Overview`s will carry."""

    def __init__(self, home: Path | None = None) -> None:
        self.folder = Folder(home or project.home())
        self._launched = 0
        self._supervisor: subprocess.Popen[bytes] | None = None

    def supervised(self) -> bool:
        """Whether a supervisor runs."""
        return self.folder.is_locked(SUPERVISOR_LOCK)

    def overview(self) -> Overview:
        """What the supervisor wrote last; without one, what of it is still true."""
        state = self.folder.read(STATE_FILE)
        supervised = self.supervised()
        prepare = state.get("prepare")
        return Overview(
            int(state.get("serial", 0)),
            state.get("problem"),
            [_detail(record, supervised) for record in state.get("processes", [])],
            _detail(prepare, supervised) if prepare else None,
        )

    def up(self, settings: Settings) -> int:
        """Run all processes that these settings call for, each with these settings."""
        names = process_plan.names(settings)
        return self._wish(lambda wish: wish.up(names, settings.environment()))

    def start(self, name: str, settings: Settings) -> int:
        """Run one process, with what it needs.

        `settings` count only where nothing runs: else it gets those that the others have.
        """

        def starting(wish: Wish) -> Wish:
            if wish.down or not wish.settings:
                wish = replace(wish, settings=settings.environment(), wanted=())
            return wish.start([*process_plan.needs(name, settings), name])

        return self._wish(starting)

    def start_all(self, settings: Settings) -> int:
        """Run all processes; `settings` count only where nothing runs."""
        return self.up(self.settings() or settings)

    def settings(self) -> Settings | None:
        """What the processes were started with, before the embedded servers; None if none runs."""
        wish = desired_state.read(self.folder)
        if wish.down or not wish.settings:
            return None
        return project.load(wish.settings | {"KOINX_ENV_FILE": ""}, running=False)

    def stop(self, name: str) -> int:
        """End one process."""
        return self._wish(lambda wish: wish.stop(name))

    def restart(self, name: str, settings: Settings) -> int:
        """End one process, then run it again; one that does not run is started."""
        if self.settings() is None:
            return self.start(name, settings)
        return self._wish(lambda wish: wish.restart(name))

    def down(self) -> None:
        """End all processes, then the supervisor; returns when none is left."""
        if not self.folder.run.is_dir():
            return
        serial = self._change(lambda wish: wish.stop_all())
        mark, since = b"", time.monotonic()
        while True:
            if not self.supervised():
                overview = self.overview()
                if overview.serial == serial and not any(p["pid"] for p in overview.processes):
                    self._await_supervisors_end()
                    return
                # Nobody is there to do it: its lock is ours for as long as this takes.
                supervise(self.folder, threading.Event())
            if (now_written := self._written()) != mark:
                mark, since = now_written, time.monotonic()
            elif time.monotonic() - since > STILL:
                self._kill_supervisor()
            time.sleep(POLL)

    def wait(self, serial: int, timeout: float) -> Iterator[Overview]:
        """Overviews that know of wish `serial`, again and again for `timeout` seconds.

        Keeps a supervisor running meanwhile; raises SupervisorError if it does not.
        """
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            self.ensure_supervisor()
            overview = self.overview()
            if overview.serial >= serial:
                yield overview
            time.sleep(POLL)

    def ensure_supervisor(self) -> None:
        """Start a supervisor if none runs; it goes on when this process ends."""
        if self.supervised():
            self._launched = 0
            return
        if self._supervisor is not None and self._supervisor.poll() is None:
            return
        if self._launched == LAUNCHES:
            said = " / ".join(log_files.last_lines(self.folder.log("supervisor"), 3))
            raise SupervisorError(f"the supervisor does not start: {said}")
        self._launched += 1
        self.folder.make()
        with self.folder.log("supervisor").open("ab") as log:
            self._supervisor = subprocess.Popen(
                [sys.executable, "-m", "supervisor.supervisor"],
                cwd=ROOT,
                env=environment(self.folder.home) | {"KOINX_ENV_FILE": ""},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        # Somebody has to take note of its end, or it stays behind as a zombie.
        threading.Thread(target=self._supervisor.wait, daemon=True).start()

    def last_lines(self, name: str, count: int = 10) -> list[str]:
        """The end of a process's output."""
        return log_files.last_lines(self.folder.log(name), count)

    def _wish(self, change: Callable[[Wish], Wish]) -> int:
        serial = self._change(change)
        self.ensure_supervisor()
        return serial

    def _change(self, change: Callable[[Wish], Wish]) -> int:
        self.folder.make()
        with desired_state.changing(self.folder) as held:
            held.wish = change(held.wish)
        return held.wish.serial

    def _written(self) -> bytes:
        try:
            return (self.folder.run / STATE_FILE).read_bytes()
        except OSError:
            return b""

    def _kill_supervisor(self) -> None:
        if supervisor := self._last_supervisor():
            supervisor.signal(signal.SIGKILL)

    def _await_supervisors_end(self) -> None:
        # It gives its lock back a moment before it is gone.
        deadline = time.monotonic() + STILL
        while (supervisor := self._last_supervisor()) and supervisor.alive():
            if time.monotonic() > deadline:
                supervisor.signal(signal.SIGKILL)
            time.sleep(POLL)

    def _last_supervisor(self) -> Identity | None:
        found = Identity.from_record(self.folder.read(SUPERVISOR_FILE))
        return found if found and found.pid != os.getpid() else None


def _detail(record: dict[str, Any], supervised: bool) -> Detail:
    detail = {key: record.get(key) for key in Detail.__annotations__}
    found = Identity.from_record(record.get("identity"))
    if not supervised:
        # Nobody asks it any more whether it is ready.
        detail["ready"] = False
        if found is None or not found.alive():
            nothing = dict.fromkeys(("pid", "url", "uptime_s", "cpu_percent", "rss_bytes"))
            detail |= nothing | {"state": "stopped"}
    return cast(Detail, detail)
