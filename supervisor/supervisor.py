"""The supervisor: keeps the desired processes running (`python -m supervisor.supervisor`)."""

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import logs
import settings as project
from logs.redaction import plain
from settings import Settings
from supervisor import desired_state, log_files, process_identity, process_plan
from supervisor.desired_state import DesiredState
from supervisor.disk_monitor import DiskMonitor
from supervisor.embedded.servers import ServerMissingError
from supervisor.ports import PortStore, is_busy
from supervisor.process import ManagedProcess
from supervisor.process_identity import Identity
from supervisor.process_spec import ProcessSpec
from supervisor.state_dir import OTHERS, STATE_FILE, SUPERVISOR_FILE, SUPERVISOR_LOCK, StateDir

TICK = 0.1
MEASURE_INTERVAL = 1.0  # seconds; also the longest time between two writes of the state
ROTATE_INTERVAL = 10.0

# The standard library's logger: the command line imports this module, and must start fast.
log = logging.getLogger("supervisor")
Plan = Callable[[Settings, Callable[[str], int], Callable[[str], str]], dict[str, ProcessSpec]]


class Supervisor:
    """Compares desired and actual state ten times a second, and acts on the difference.

    `plan` turns settings into the specs of all processes; tests pass a small one.
    """

    def __init__(self, state_dir: StateDir, plan: Plan = process_plan.plan) -> None:
        self._state_dir = state_dir
        self._plan = plan
        self._ports = PortStore(state_dir)
        self._disks = DiskMonitor(state_dir)
        self._desired = DesiredState()
        self._file_version: object = None  # of the desired state last read
        self._processes: dict[str, ManagedProcess] = {}
        self._problem: str | None = None
        self._published: object = None
        self._measured = self._rotated = float("-inf")
        self._take_over()

    def run(self, stopped: threading.Event) -> None:
        """Runs until `stopped` is set, which leaves the processes running, or `down` is done."""
        last_error = ""
        while not stopped.is_set():
            try:
                if self.tick():
                    return
            except OSError as error:  # a full disk must not end the one that keeps others alive
                if plain(error) != last_error:
                    log.warning(last_error := plain(error))
            stopped.wait(TICK)

    def tick(self) -> bool:
        """Compares and acts once; returns True when a `down` is complete."""
        self._read_desired_state()
        for process in self._processes.values():
            process.poll(self._needs_ready(process))
        self._disks.check(self._processes.values())
        for process in self._processes.values():
            if process.spec and process.spec.oneshot:
                process.wanted = self._is_awaited(process)
        self._stop()
        self._start()
        self._processes = {
            name: process
            for name, process in self._processes.items()
            if process.alive or process.spec is not None
        }
        self._measure()
        done = self._desired.down and not any(p.alive for p in self._processes.values())
        if done:
            (self._state_dir.run / project.RUNNING_FILE).unlink(missing_ok=True)
        self._publish()
        return done

    def _read_desired_state(self) -> None:
        try:
            status = (self._state_dir.run / desired_state.FILE).stat()
        except OSError:
            return
        version = (status.st_mtime_ns, status.st_ino)
        if version == self._file_version:
            return
        before, desired = self._desired, desired_state.read(self._state_dir)
        self._file_version = version
        if not desired.serial:
            log.warning("%s is damaged: keeping the desired state before it", desired_state.FILE)
            return
        self._desired = desired
        log.info("desired state read", extra={"serial": desired.serial, "wanted": desired.wanted})
        self._update_plan()
        for name, process in self._processes.items():
            process.wanted = name in desired.wanted
            if desired.asked.get(name, 0) > before.asked.get(name, 0):
                process.reset_backoff()
            if desired.restarts.get(name, 0) > before.restarts.get(name, 0):
                process.restart_requested = process.alive
        prepare = self._processes.get("prepare")
        if prepare and desired.rounds > before.rounds and self._is_awaited(prepare):
            prepare.completed = None
            prepare.reset_backoff()

    def _update_plan(self) -> None:
        """Brings every spec up to date with the settings and the ports."""
        if not self._desired.settings:
            return
        environment = self._desired.settings | {"KOINX_ENV_FILE": ""}
        try:
            values = project.load(environment, running=False)
            sources = self._ports.get, self._state_dir.secret
            plan = self._plan(values, *sources)
            running_settings = process_plan.resolved(values, *sources)
        except (project.SettingsError, ServerMissingError, OSError) as error:
            self._problem = plain(error)
            log.error("planning failed", extra={"reason": self._problem})  # noqa: TRY400 - no traceback needed
            return
        self._problem = None
        for name in plan:
            if name not in self._processes:
                self._processes[name] = ManagedProcess(name, self._state_dir)
                self._processes[name].wanted = name in self._desired.wanted
        in_order = [*plan, *(name for name in self._processes if name not in plan)]
        self._processes = {name: self._processes[name] for name in in_order}
        for name, process in self._processes.items():
            process.spec = plan.get(name)
        if not self._desired.down:
            with suppress(OSError):  # readers then find the settings of before
                self._state_dir.write(project.RUNNING_FILE, running_settings)

    def _needs_ready(self, process: ManagedProcess) -> bool:
        """Returns whether all that it needs is ready, apart from what a user has stopped."""
        needs = process.spec.needs if process.spec else ()
        return all(
            other.ready or not other.wanted
            for other in map(self._processes.get, needs)
            if other is not None
        )

    def _is_awaited(self, oneshot: ManagedProcess) -> bool:
        """Returns whether a process that needs this one is about to start."""
        return any(
            process.wanted and (not process.alive or process.must_stop)
            for process in self._processes.values()
            if process.spec and oneshot.name in process.spec.needs
        )

    def _stop(self) -> None:
        stopping = [process for process in self._processes.values() if process.must_stop]
        stage = min((process.stage for process in stopping), default=0)
        for process in stopping:
            if process.stage == stage:
                process.stop()

    def _start(self) -> None:
        for name, process in list(self._processes.items()):
            if not process.can_start or not self._needs_ready(process):
                continue
            if self._disks.blocks_start(process):
                continue
            if any(
                other.must_stop and other.spec and name in other.spec.needs
                for other in self._processes.values()
            ):
                # What still runs with the settings of before must not meet the new server: it
                # would work on another market's queue.
                continue
            spec = process.spec
            if spec and spec.port_is_movable and spec.address and is_busy(*spec.address):
                log.warning(
                    "port taken by a foreign process",
                    extra={"of": name, "port": spec.address[1]},
                )
                self._ports.reassign(name)
                self._update_plan()
                return
            process.start()
            pid = process.identity and process.identity.pid
            log.info("process started", extra={"of": name, "its_pid": pid})
            # At once: a supervisor that is killed now must leave the pid behind.
            self._publish()

    def _measure(self) -> None:
        now = time.monotonic()
        if now - self._measured > MEASURE_INTERVAL:
            self._measured = now
            sessions = process_identity.sessions()
            for process in self._processes.values():
                if process.identity:
                    process.measure(sessions.get(process.identity.pid, []))
        if now - self._rotated > ROTATE_INTERVAL:
            self._rotated = now
            for path in self._state_dir.logs.glob("*.log"):
                log_files.rotate(path)

    def _publish(self) -> None:
        records = {name: process.record() for name, process in self._processes.items()}
        prepare = records.pop("prepare", None)
        content = {
            "serial": self._desired.serial,
            "rounds": self._desired.rounds,
            "restarts": self._desired.restarts,
            "problem": self._problem,
            "processes": list(records.values()),
            "prepare": prepare,
            "prepared": self._processes["prepare"].completed if prepare else None,
        }
        states = [
            (r["name"], r["state"], r["ready"], r["pid"], r["restarts"])
            for r in (*records.values(), *([prepare] if prepare else []))
        ]
        version = (self._desired.serial, self._problem, states, self._measured)
        if version != self._published:
            with suppress(OSError):  # a full disk must not end the one that keeps others alive
                self._state_dir.write(STATE_FILE, content)
                self._published = version

    def _take_over(self) -> None:
        """Adopts what runs already, as the last state and each process's environment tell."""
        state = self._state_dir.read(STATE_FILE)
        desired = desired_state.read(self._state_dir)
        # Requests made while no supervisor was running must count as new.
        self._desired = replace(
            desired,
            rounds=state.get("rounds", desired.rounds),
            restarts=state.get("restarts", desired.restarts),
        )
        self._update_plan()
        records = [*state.get("processes", []), *filter(None, [state.get("prepare")])]
        for record in records:
            process = self._process(record["name"])
            process.wanted = process.name in desired.wanted
            identity = Identity.from_record(record.get("identity"))
            if identity and (
                identity.alive() or process_identity.session_members(identity, self._state_dir.home)
            ):
                process.adopt(identity, record.get("fingerprint"), record.get("restarts", 0))
                process.restart_requested = record.get("restarting", False)
                log.info("process adopted", extra={"of": process.name, "its_pid": identity.pid})
        # A supervisor that was killed between a start and its record left it in no state file.
        supervised = process_identity.find_supervised(self._state_dir.home)
        for name, (identity, fingerprint) in supervised.items():
            process = self._process(name)
            if not process.alive:
                process.adopt(identity, fingerprint, 0)
                log.info("unrecorded process adopted", extra={"of": name, "its_pid": identity.pid})
        if "prepare" in self._processes and any(p.alive for p in self._processes.values()):
            self._processes["prepare"].completed = state.get("prepared")

    def _process(self, name: str) -> ManagedProcess:
        return self._processes.setdefault(name, ManagedProcess(name, self._state_dir))


def main() -> int:
    """Supervises the home that the environment names, unless another supervisor does."""
    logs.set_up("supervisor")
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    os.umask(OTHERS)
    return supervise(StateDir(project.home()), stopped)


def supervise(state_dir: StateDir, stopped: threading.Event, plan: Plan = process_plan.plan) -> int:
    """Runs a supervisor under the home's lock; returns 1 if another one holds it."""
    state_dir.create()
    state_dir.restrict_permissions()
    with state_dir.locked(SUPERVISOR_LOCK, wait=2) as locked:
        if not locked:
            log.info("another supervisor is running", extra={"home": str(state_dir.home)})
            return 1
        identity = Identity.of(os.getpid())
        state_dir.write(SUPERVISOR_FILE, identity.record() if identity else {})
        Supervisor(state_dir, plan).run(stopped)
        log.info("supervisor stopped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
