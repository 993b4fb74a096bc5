"""The life of one process under the supervisor: start, watch, stop, restart with backoff."""

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from logs.redaction import plain
from settings import NAMES as SETTINGS
from settings import ROOT
from supervisor import ports, process_identity
from supervisor.health_checks import HealthMonitor
from supervisor.process_identity import Identity
from supervisor.process_spec import ProcessSpec
from supervisor.restart_backoff import RestartBackoff
from supervisor.state_dir import StateDir

log = logging.getLogger("supervisor")

# A new process title would overwrite the environment by which process_identity recognises it.
KEEP_ENVIRONMENT = {"SPT_NOENV": "1"}  # for setproctitle, which Celery uses where it is installed


class ManagedProcess:
    """One process and everything known about it. All methods return at once.

    The supervisor writes `spec` (None: no longer needed), `wanted` and `restart_requested`.
    """

    def __init__(self, name: str, state_dir: StateDir) -> None:
        self.name = name
        self.spec: ProcessSpec | None = None
        self.wanted = False
        self.restart_requested = False
        self.identity: Identity | None = None
        self.fingerprint: str | None = None  # of the running process, or of the last one
        self.exit_code: int | None = None
        self.restarts = 0
        self.failed = False
        self.completed: str | None = None  # the fingerprint with which a oneshot did its work
        self.cpu_percent: float | None = None
        self.rss_bytes: int | None = None
        self._cpu_seconds: tuple[float, float] | None = None
        self._state_dir = state_dir
        self._child: subprocess.Popen[bytes] | None = None
        self._monitor: HealthMonitor | None = None
        self._was_ready = False
        self._ready_since: float | None = None
        self._answerable_since = 0.0  # since when it was started and all that it needs was ready
        self._kill_at: float | None = None  # set while it is stopping
        self._restarting = False
        self._stuck = False
        self._backoff = RestartBackoff()

    @property
    def stage(self) -> int:
        """When to stop it, relative to others; without a spec it stops with the servers."""
        return self.spec.stage if self.spec else 3

    @property
    def alive(self) -> bool:
        """Whether the process, or another one of its session, is still running."""
        return self.identity is not None

    @property
    def must_stop(self) -> bool:
        """Whether it runs, but should not run or should run with another spec."""
        outdated = self.spec is None or self.spec.fingerprint != self.fingerprint
        return self.alive and (
            not self.wanted or outdated or self.restart_requested or self._restarting
        )

    @property
    def ready(self) -> bool:
        """Whether it answers, with the current spec."""
        if self.spec and self.spec.oneshot:
            return self.completed == self.spec.fingerprint
        return bool(self._monitor and self._monitor.ready) and not self.must_stop

    @property
    def can_start(self) -> bool:
        """Whether it is time to start it."""
        return (
            self.wanted
            and self.spec is not None
            and not (self.alive or self.failed or (self.spec.oneshot and self.ready))
            and time.monotonic() >= self._backoff.next_start
        )

    @property
    def state(self) -> str:
        """The state that `./koinx status` shows."""
        if self._kill_at is not None and not self.wanted:
            return "running"
        if self._kill_at is None and self.alive and self._monitor is not None:
            return "running" if self._was_ready else "starting"
        if not self.wanted:
            return "stopped"
        if self.failed:
            return "failed"
        return "crashed" if time.monotonic() < self._backoff.next_start else "starting"

    def reset_backoff(self) -> None:
        """Forgets earlier failures, so that the next start is immediate."""
        self.failed = False
        self._backoff = RestartBackoff()

    def start(self) -> None:
        """Starts it; an error of the system counts as a start that never became ready."""
        assert self.spec is not None
        self.fingerprint = self.spec.fingerprint
        self.restart_requested = self._restarting = False
        self.exit_code, self._was_ready, self._ready_since = None, False, None
        self._answerable_since = time.monotonic()
        try:
            self._child = self._popen(self.spec)
        except OSError as error:
            log.warning("start failed: %s", plain(error), extra={"of": self.name})
            self._record_failure()
            return
        pid = self._child.pid
        self.identity = Identity.of(pid) or Identity(pid, 0, "")  # it has exited already
        self._start_monitor()

    def adopt(self, identity: Identity, fingerprint: str | None, restarts: int) -> None:
        """Takes over a process that another supervisor started."""
        self.identity, self.fingerprint, self.restarts = identity, fingerprint, restarts
        self._answerable_since = time.monotonic()
        self._start_monitor()

    def _popen(self, spec: ProcessSpec) -> subprocess.Popen[bytes]:
        if spec.address and ports.is_busy(*spec.address):
            setting = "API_PORT" if spec.name == "api" else "DASH_PORT"
            raise OSError(ports.problem(setting, *spec.address) or "its port is in use")
        for folder in spec.folders:
            Path(folder).mkdir(parents=True, exist_ok=True)
        for path, text in spec.files.items():
            self._state_dir.write_text(Path(path), text)
        with self._state_dir.log(self.name).open("ab") as log:
            return subprocess.Popen(
                spec.command,
                cwd=ROOT,
                env=environment(self._state_dir.home)
                | spec.environment
                | {process_identity.AS: f"{self.name}:{spec.fingerprint}", **KEEP_ENVIRONMENT},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _start_monitor(self) -> None:
        if self.spec and self.spec.probe:
            self._monitor = HealthMonitor(self.spec.probe)
            self._monitor.start()

    def _stop_monitor(self) -> None:
        if self._monitor:
            self._monitor.stop()
        self._monitor = None

    def stop(self) -> None:
        """Asks it to stop."""
        if self._kill_at is None and self.identity is not None:
            self._restarting = self._restarting or self.restart_requested
            self.restart_requested = False
            self._kill_at = time.monotonic() + (self.spec.stop_timeout if self.spec else 10)
            self._stop_monitor()
            self.identity.signal(signal.SIGTERM)

    def poll(self, needs_ready: bool) -> None:
        """Updates what is known of the process; kills it when its stop timeout is over."""
        if self.identity is None:
            return
        now = time.monotonic()
        # A child is dead once it was reaped; any other way of asking might miss its exit.
        if self._child.poll() is None if self._child else self.identity.alive():
            if self._kill_at is not None and now > self._kill_at:
                process_identity.kill(self._session())
            self._check_readiness(now, needs_ready)
            return
        # Granian's workers keep serving when their parent is killed, and a second start would bind
        # its port beside them: nothing of the old session may be left.
        if left := self._session():
            process_identity.kill(left)
            return
        self._record_exit()

    def _session(self) -> list[Identity]:
        assert self.identity is not None
        return process_identity.session_members(self.identity, self._state_dir.home)

    def _record_exit(self) -> None:
        self.exit_code = self._child.returncode if self._child else None
        requested = self._kill_at is not None and not self._stuck
        self.identity, self._child, self._kill_at, self._stuck = None, None, None, False
        self.cpu_percent = self.rss_bytes = self._cpu_seconds = None
        self._stop_monitor()
        if self.spec and self.spec.oneshot and self.exit_code == 0:
            self.completed = self.fingerprint
            self.reset_backoff()
        elif self.wanted and not requested:
            self._record_failure()
        self._restarting = self.restart_requested = False

    def _check_readiness(self, now: float, needs_ready: bool) -> None:
        if self._monitor and self._monitor.ready:
            self._was_ready = True
            self._ready_since = self._ready_since or now
            self._backoff.record_ready(now - self._ready_since)
        else:
            self._ready_since = None
        if not needs_ready:
            self._answerable_since = now
        limit = self.spec.stuck_after if self.spec else None
        last_answer = (self._monitor and self._monitor.last_answer) or 0
        unanswered = now - max(last_answer, self._answerable_since)
        if limit and self._kill_at is None and unanswered > limit:
            log.warning("no answer for %.0f s: restarting", limit, extra={"of": self.name})
            self._stuck = self._restarting = True

    def _record_failure(self) -> None:
        """Counts a failure and sets the time of the next start, if there is to be one."""
        self.failed = self._backoff.record_failure(self.exit_code, was_ready=self._was_ready)
        self.restarts += not self.failed and not (self.spec and self.spec.oneshot)

    def measure(self, pids: Iterable[int]) -> None:
        """Adds up the CPU and memory use of the processes of its session."""
        if self.identity is None:
            return
        used = list(process_identity.usage(pids))
        now, seconds = time.monotonic(), sum(cpu for cpu, _ in used)
        if self._cpu_seconds:
            then, before = self._cpu_seconds
            self.cpu_percent = round(max(0.0, seconds - before) / max(now - then, 0.01) * 100, 1)
        self._cpu_seconds = (now, seconds)
        self.rss_bytes = sum(rss for _, rss in used)

    def record(self) -> dict[str, Any]:
        """Returns what `status` shows, and what the next supervisor needs to take over."""
        identity = self.identity
        return {
            "name": self.name,
            "state": self.state,
            "ready": self.ready,
            "pid": identity.pid if identity else None,
            "url": self.spec.url if self.spec and identity else None,
            "uptime_s": round(identity.age(), 1) if identity else None,
            "restarts": self.restarts,
            "restarting": self.restart_requested or self._restarting,
            "cpu_percent": self.cpu_percent,
            "rss_bytes": self.rss_bytes,
            "exit_code": self.exit_code,
            "fingerprint": self.fingerprint,
            "identity": identity.record() if identity else None,
        }


def environment(home: Path) -> dict[str, str]:
    """Returns this process's environment with `KOINX_HOME`, but without any other setting."""
    ours = {*SETTINGS, "KOINX_ENV_FILE", process_identity.AS}
    inherited = {name: value for name, value in os.environ.items() if name not in ours}
    path = os.pathsep.join([str(Path(sys.executable).parent), inherited.get("PATH", os.defpath)])
    return inherited | {"PATH": path, "KOINX_HOME": str(home)}


def describe_exit(code: int) -> str:
    """Describes how a process ended, by its exit code."""
    try:
        return f"ended by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    except ValueError:
        return f"ended by signal {-code}"
