"""One process's life under the supervisor: start, watch, end, and start again."""

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
from supervisor.health_checks import Watch
from supervisor.process_identity import Identity
from supervisor.process_spec import Spec
from supervisor.state_dir import Folder

log = logging.getLogger("supervisor")

MAX_STARTS = 5  # in a row that never got ready
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
LONGEST_OF_WORKING = 2.0  # the longest pause of one that was ready, or was killed by another
KILLED = (-signal.SIGKILL, -signal.SIGTERM)
CALM_AFTER = 60.0  # seconds of being ready after which the pauses begin small again

# A new title would be written over the environment by which identity.find() and members() know it.
UNCLOBBERED = {"SPT_NOENV": "1"}  # read by setproctitle, which Celery uses where it is installed


class Managed:
    """Holds what is known of one process. All its methods return at once.

    Written by the supervisor: `spec` (None: not called for any more), `wanted`, `asked`,
    `restart_asked`.
    """

    def __init__(self, name: str, folder: Folder) -> None:
        self.name = name
        self.spec: Spec | None = None
        self.wanted = False
        self.restart_asked = False
        self.identity: Identity | None = None
        self.fingerprint: str | None = None  # of what runs, or ran last
        self.exit_code: int | None = None
        self.restarts = 0
        self.failed = False
        self.done: str | None = None  # the fingerprint with which a `once` did its work
        self.cpu_percent: float | None = None
        self.rss_bytes: int | None = None
        self._cpu_seconds: tuple[float, float] | None = None
        self._folder = folder
        self._child: subprocess.Popen[bytes] | None = None
        self._watch: Watch | None = None
        self._was_ready = False
        self._ready_since: float | None = None
        self._able_since = 0.0  # since when it could answer: started, and all its needs ready
        self._ending: float | None = None  # when its patience is over
        self._restarting = False
        self._stuck = False
        self._unready_starts = 0
        self._pause = FIRST_PAUSE
        self._next_start = 0.0

    @property
    def stage(self) -> int:
        """When it is to end, among others; what nothing calls for any more ends as a server."""
        return self.spec.stage if self.spec else 3

    @property
    def alive(self) -> bool:
        """Whether it, or something that it left behind, still runs."""
        return self.identity is not None

    @property
    def outdated(self) -> bool:
        """Whether it runs with other settings than are asked for now."""
        return self.alive and (self.spec is None or self.spec.fingerprint != self.fingerprint)

    @property
    def must_end(self) -> bool:
        """Whether it runs and should not, or not so."""
        return self.alive and (
            not self.wanted or self.outdated or self.restart_asked or self._restarting
        )

    @property
    def ready(self) -> bool:
        """Whether it answers, in the form that is asked for now."""
        if self.spec and self.spec.once:
            return self.done == self.spec.fingerprint
        return bool(self._watch and self._watch.ready) and not self.must_end

    @property
    def startable(self) -> bool:
        """Whether it is time to start it."""
        return (
            self.wanted
            and self.spec is not None
            and not (self.alive or self.failed or (self.spec.once and self.ready))
            and time.monotonic() >= self._next_start
        )

    @property
    def state(self) -> str:
        """In the words of `status`."""
        if self._ending is not None and not self.wanted:
            return "running"
        if self._ending is None and self._is_running():
            return "running" if self._was_ready else "starting"
        if not self.wanted:
            return "stopped"
        if self.failed:
            return "failed"
        return "crashed" if time.monotonic() < self._next_start else "starting"

    def _is_running(self) -> bool:
        return self.identity is not None and self._watch is not None

    def forgive(self) -> None:
        """Forget the failures: somebody asked for it."""
        self.failed = False
        self._unready_starts = 0
        self._pause = FIRST_PAUSE
        self._next_start = 0.0

    def start(self) -> None:
        """Start it; a refusal of the system counts as a start that never got ready."""
        assert self.spec is not None
        spec = self.spec
        self.fingerprint, self.restart_asked, self._restarting = spec.fingerprint, False, False
        self.exit_code, self._was_ready, self._ready_since = None, False, None
        self._able_since = time.monotonic()
        try:
            self._child = self._popen(spec)
        except OSError as error:
            log.warning("it cannot be started: %s", plain(error), extra={"of": self.name})
            self._fall()
            return
        pid = self._child.pid
        self.identity = Identity.of(pid) or Identity(pid, 0, "")  # over already
        self._begin_watch()

    def adopt(self, found: Identity, fingerprint: str | None, restarts: int) -> None:
        """Take over what another supervisor started."""
        self.identity, self.fingerprint, self.restarts = found, fingerprint, restarts
        self._able_since = time.monotonic()
        self._begin_watch()

    def _popen(self, spec: Spec) -> subprocess.Popen[bytes]:
        if spec.address and ports.is_busy(*spec.address):
            setting = "API_PORT" if spec.name == "api" else "DASH_PORT"
            raise OSError(ports.complaint(setting, *spec.address) or "its port is in use")
        for folder in spec.folders:
            Path(folder).mkdir(parents=True, exist_ok=True)
        for path, text in spec.files.items():
            self._folder.write_text(Path(path), text)
        with self._folder.log(self.name).open("ab") as log:
            return subprocess.Popen(
                spec.command,
                cwd=ROOT,
                env=environment(self._folder.home)
                | spec.environment
                | {process_identity.AS: f"{self.name}:{spec.fingerprint}", **UNCLOBBERED},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _begin_watch(self) -> None:
        if self.spec and self.spec.probe:
            self._watch = Watch(self.spec.probe)
            self._watch.start()

    def stop(self) -> None:
        """Ask it to end."""
        if self._ending is None and self.identity is not None:
            self._restarting = self._restarting or self.restart_asked
            self.restart_asked = False
            self._ending = time.monotonic() + (self.spec.patience if self.spec else 10)
            self._end_watch()
            self.identity.signal(signal.SIGTERM)

    def _end_watch(self) -> None:
        if self._watch:
            self._watch.end()
        self._watch = None

    def observe(self, needs_ready: bool) -> None:
        """See what has become of it since the last look."""
        if self.identity is None:
            return
        now = time.monotonic()
        # A child is dead when it was reaped: looked at in another way it might be missed.
        if self._child.poll() is None if self._child else self.identity.alive():
            if self._ending is not None and now > self._ending:
                process_identity.end(process_identity.members(self.identity, self._folder.home))
            self._look_at_readiness(now, needs_ready)
            return
        # Granian's workers go on serving when their parent is killed, and a second start would
        # bind its port beside them: nothing of the old session may be left.
        if left := process_identity.members(self.identity, self._folder.home):
            process_identity.end(left)
            return
        self.exit_code = self._child.returncode if self._child else None
        asked_for = self._ending is not None and not self._stuck
        self.identity, self._child, self._ending, self._stuck = None, None, None, False
        self.cpu_percent = self.rss_bytes = self._cpu_seconds = None
        self._end_watch()
        if self.spec and self.spec.once and self.exit_code == 0:
            self.done = self.fingerprint
            self.forgive()
        elif self.wanted and not asked_for:
            self._fall()
        self._restarting = False
        self.restart_asked = False

    def _look_at_readiness(self, now: float, needs_ready: bool) -> None:
        if self._watch and self._watch.ready:
            self._was_ready = True
            self._unready_starts = 0
            self._ready_since = self._ready_since or now
            if now - self._ready_since > CALM_AFTER:
                self._pause = FIRST_PAUSE
        else:
            self._ready_since = None
        if not needs_ready:
            self._able_since = now
        limit = self.spec.stuck_after if self.spec else None
        answered = max((self._watch and self._watch.last_answer) or 0, self._able_since)
        if limit and self._ending is None and now - answered > limit:
            log.warning("no answer for %.0f s: it is started anew", limit, extra={"of": self.name})
            self._stuck = self._restarting = True

    def _fall(self) -> None:
        """Count a failure: when is the next start, if ever."""
        # A long pause is for a start that goes wrong. Kills that come one after the other say
        # nothing about the start, and everything that needs this process waits for it.
        works = self._was_ready or self.exit_code in KILLED
        if not works:
            self._unready_starts += 1
        self.failed = self._unready_starts >= MAX_STARTS
        self.restarts += not self.failed and not (self.spec and self.spec.once)
        pause = min(self._pause, LONGEST_OF_WORKING) if works else self._pause
        self._next_start = time.monotonic() + pause
        self._pause = min(pause * 2, LONGEST_PAUSE)

    def measure(self, pids: Iterable[int]) -> None:
        """Add up what the processes of its session use."""
        if self.identity is None:
            return
        used = list(process_identity.usage(list(pids)))
        now, seconds = time.monotonic(), sum(cpu for cpu, _ in used)
        if self._cpu_seconds:
            then, before = self._cpu_seconds
            self.cpu_percent = round(max(0.0, seconds - before) / max(now - then, 0.01) * 100, 1)
        self._cpu_seconds = (now, seconds)
        self.rss_bytes = sum(rss for _, rss in used)

    def record(self) -> dict[str, Any]:
        """What `status` shows, and what the next supervisor needs to take over."""
        alive = self.identity
        return {
            "name": self.name,
            "state": self.state,
            "ready": self.ready,
            "pid": alive.pid if alive else None,
            "url": self.spec.url if self.spec and alive else None,
            "uptime_s": round(alive.age(), 1) if alive else None,
            "restarts": self.restarts,
            "restarting": self.restart_asked or self._restarting,
            "cpu_percent": self.cpu_percent,
            "rss_bytes": self.rss_bytes,
            "exit_code": self.exit_code,
            "fingerprint": self.fingerprint,
            "identity": alive.record() if alive else None,
        }


def environment(home: Path) -> dict[str, str]:
    """This process's environment without any setting, but for the home."""
    ours = {*SETTINGS, "KOINX_ENV_FILE", process_identity.AS}
    kept = {name: value for name, value in os.environ.items() if name not in ours}
    kept["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", os.defpath)])
    return kept | {"KOINX_HOME": str(home)}


def ended(code: int) -> str:
    """How a process ended, by its exit code."""
    try:
        return f"ended by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    except ValueError:
        return f"ended by signal {-code}"
