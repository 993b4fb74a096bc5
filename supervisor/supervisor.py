"""Keep running what is wished for: `python -m supervisor.supervisor`."""

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import logs as logbook
import settings as project
from logs.redaction import plain
from settings import Settings
from supervisor import desired_state, log_files, process_identity, process_plan
from supervisor.disk_monitor import Disks
from supervisor.embedded.servers import ServerMissingError
from supervisor.ports import KeptPorts, is_busy
from supervisor.process import Managed
from supervisor.process_identity import Identity
from supervisor.process_spec import Spec
from supervisor.state_dir import OTHERS, STATE_FILE, SUPERVISOR_FILE, SUPERVISOR_LOCK, Folder

TICK = 0.1
EVERY = 1.0  # seconds between two measurements, and at most between two writings of the state
ROTATE_EVERY = 10.0

# The standard library's: the command imports this, and is to be quick.
log = logging.getLogger("supervisor")
Plan = Callable[[Settings, Callable[[str], int], Callable[[str], str]], dict[str, Spec]]


class Supervisor:
    """Compares, ten times a second, what is wished for with what runs, and acts on it.

    `plan` says which processes given settings call for; tests hand in a small one.
    """

    def __init__(self, folder: Folder, plan: Plan = process_plan.plan) -> None:
        self._folder = folder
        self._plan = plan
        self._ports = KeptPorts(folder)
        self._disks = Disks(folder)
        self._wish = desired_state.Wish()
        self._wish_mark: object = None
        self._managed: dict[str, Managed] = {}
        self._problem: str | None = None
        self._written: object = None
        self._measured = self._rotated = float("-inf")
        self._resolved: dict[str, str] = {}
        self._take_over()

    def run(self, ended: threading.Event) -> None:
        """Until `ended` is set, which leaves the processes running, or all were wished away."""
        said = ""
        while not ended.is_set():
            try:
                if self.tick():
                    return
            except OSError as error:  # a full disk must not end what keeps all the others alive
                if plain(error) != said:
                    log.warning(said := plain(error))
            ended.wait(TICK)

    def tick(self) -> bool:
        """One comparison; True once a `down` is carried out."""
        self._read_wish()
        for managed in self._managed.values():
            managed.observe(self._needs_ready(managed))
        self._disks.look(self._managed.values())
        self._ask_for_prepare()
        self._stop()
        self._start()
        self._managed = {
            name: managed
            for name, managed in self._managed.items()
            if managed.alive or managed.spec is not None
        }
        self._measure()
        over = self._wish.down and not any(m.alive for m in self._managed.values())
        if over:
            (self._folder.run / project.RUNNING_FILE).unlink(missing_ok=True)
        self._publish()
        return over

    def _read_wish(self) -> None:
        try:
            status = (self._folder.run / desired_state.FILE).stat()
        except OSError:
            return
        mark = (status.st_mtime_ns, status.st_ino)
        if mark == self._wish_mark:
            return
        before, found, self._wish_mark = self._wish, desired_state.read(self._folder), mark
        if not found.serial:
            log.warning("%s is damaged: the wish before it counts", desired_state.FILE)
            return
        self._wish = found
        log.info("wish", extra={"number": self._wish.serial, "wanted": list(self._wish.wanted)})
        self._make_plan()
        for name, managed in self._managed.items():
            managed.wanted = name in self._wish.wanted
            if self._wish.asked.get(name, 0) > before.asked.get(name, 0):
                managed.forgive()
            if self._wish.restarts.get(name, 0) > before.restarts.get(name, 0):
                managed.restart_asked = managed.alive
        prepare = self._managed.get("prepare")
        if prepare and self._wish.rounds > before.rounds and self._waiting_for(prepare):
            prepare.done = None
            prepare.forgive()

    def _make_plan(self) -> None:
        """Bring every spec up to what the settings and the ports are now."""
        if not self._wish.settings:
            return
        environment = self._wish.settings | {"KOINX_ENV_FILE": ""}
        try:
            values = project.load(environment, running=False)
            known = self._ports.get, self._folder.kept_secret
            plan = self._plan(values, *known)
            self._resolved = process_plan.resolved(values, *known)
        except (project.SettingsError, ServerMissingError, OSError) as error:
            self._problem = plain(error)
            log.error("no plan", extra={"reason": plain(error)})  # noqa: TRY400 - the reason says it all
            return
        self._problem = None
        for name in plan:
            if name not in self._managed:
                self._managed[name] = Managed(name, self._folder)
                self._managed[name].wanted = name in self._wish.wanted
        in_order = [*plan, *(name for name in self._managed if name not in plan)]
        self._managed = {name: self._managed[name] for name in in_order}
        for name, managed in self._managed.items():
            managed.spec = plan.get(name)
        if not self._wish.down:
            with suppress(OSError):  # who reads it then finds the settings of before
                self._folder.write(project.RUNNING_FILE, self._resolved)

    def _needs_ready(self, managed: Managed) -> bool:
        """Whether all that it needs is ready; what somebody stopped is not waited for."""
        needs = managed.spec.needs if managed.spec else ()
        return all(
            other.ready or not other.wanted
            for other in map(self._managed.get, needs)
            if other is not None
        )

    def _waiting_for(self, prepare: Managed) -> bool:
        """Whether something is to be started that needs the preparation."""
        return any(
            managed.wanted and (not managed.alive or managed.must_end)
            for managed in self._managed.values()
            if managed.spec and prepare.name in managed.spec.needs
        )

    def _ask_for_prepare(self) -> None:
        for managed in self._managed.values():
            if managed.spec and managed.spec.once:
                managed.wanted = self._waiting_for(managed)

    def _stop(self) -> None:
        ending = [managed for managed in self._managed.values() if managed.must_end]
        first = min((managed.stage for managed in ending), default=0)
        for managed in ending:
            if managed.stage == first:
                managed.stop()

    def _start(self) -> None:
        for name, managed in list(self._managed.items()):
            if not managed.startable or not self._needs_ready(managed):
                continue
            if self._disks.hold(managed):
                continue
            if any(m.must_end and m.spec and name in m.spec.needs for m in self._managed.values()):
                # What still runs with the settings of before must not meet the new server: it
                # would work on another market's queue.
                continue
            spec = managed.spec
            if spec and spec.movable and spec.address and is_busy(*spec.address):
                log.warning(
                    "its port was taken by another", extra={"of": name, "port": spec.address[1]}
                )
                self._ports.renew(name)
                self._make_plan()
                return
            managed.start()
            log.info(
                "started", extra={"of": name, "its_pid": managed.identity and managed.identity.pid}
            )
            # At once: a supervisor that is killed now must leave the pid behind.
            self._publish()

    def _measure(self) -> None:
        now = time.monotonic()
        if now - self._measured > EVERY:
            self._measured = now
            found = process_identity.sessions()
            for managed in self._managed.values():
                if managed.identity:
                    managed.measure(found.get(managed.identity.pid, []))
        if now - self._rotated > ROTATE_EVERY:
            self._rotated = now
            for path in self._folder.logs.glob("*.log"):
                log_files.rotate(path)

    def _publish(self) -> None:
        records = [managed.record() for managed in self._managed.values()]
        content = {
            "serial": self._wish.serial,
            "rounds": self._wish.rounds,
            "restarts": self._wish.restarts,
            "problem": self._problem,
            "processes": [r for r in records if r["name"] != "prepare"],
            "prepare": next((r for r in records if r["name"] == "prepare"), None),
            "prepared": self._managed["prepare"].done if "prepare" in self._managed else None,
        }
        state = [(r["name"], r["state"], r["ready"], r["pid"], r["restarts"]) for r in records]
        mark = (self._wish.serial, self._problem, state, self._measured)
        if mark != self._written:
            with suppress(OSError):  # a full disk must not end what keeps all the others alive
                self._folder.write(STATE_FILE, content)
                self._written = mark

    def _take_over(self) -> None:
        """Go on with what runs already, on the word of the last state and of each process."""
        state = self._folder.read(STATE_FILE)
        wish = desired_state.read(self._folder)
        # What was asked for while no supervisor ran is to be seen as new.
        self._wish = replace(
            wish,
            rounds=state.get("rounds", wish.rounds),
            restarts=state.get("restarts", wish.restarts),
        )
        self._make_plan()
        records = [*state.get("processes", []), *filter(None, [state.get("prepare")])]
        for record in records:
            name = record["name"]
            managed = self._managed.setdefault(name, Managed(name, self._folder))
            managed.wanted = name in self._wish.wanted
            found = Identity.from_record(record.get("identity"))
            if found and (found.alive() or process_identity.members(found, self._folder.home)):
                managed.adopt(found, record.get("fingerprint"), record.get("restarts", 0))
                managed.restart_asked = record.get("restarting", False)
                log.info("taken over", extra={"of": name, "its_pid": found.pid})
        # A supervisor that was killed between a start and its note left it in no record.
        for name, (lost, fingerprint) in process_identity.find(self._folder.home).items():
            managed = self._managed.setdefault(name, Managed(name, self._folder))
            if not managed.alive:
                managed.adopt(lost, fingerprint, 0)
                log.info("found", extra={"of": name, "its_pid": lost.pid})
        if "prepare" in self._managed and any(m.alive for m in self._managed.values()):
            self._managed["prepare"].done = state.get("prepared")


def main() -> int:
    """Supervise the home that the environment names, unless another does already."""
    logbook.set_up("supervisor")
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    os.umask(OTHERS)
    return supervise(Folder(project.home()), ended)


def supervise(folder: Folder, ended: threading.Event, plan: Plan = process_plan.plan) -> int:
    """Hold the lock and run; 1 if another supervisor holds it."""
    folder.make()
    folder.tighten()
    with folder.locked(SUPERVISOR_LOCK, wait=2) as held:
        if not held:
            log.info("another supervisor runs", extra={"home": str(folder.home)})
            return 1
        me = Identity.of(os.getpid())
        folder.write(SUPERVISOR_FILE, me.record() if me else {})
        Supervisor(folder, plan).run(ended)
        log.info("ended")
    return 0


if __name__ == "__main__":
    sys.exit(main())
