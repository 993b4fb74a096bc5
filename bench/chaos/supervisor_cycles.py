"""Start and end small processes again and again.

    python -m bench.chaos.supervisor_cycles --cycles 1000

They go through the dashboard's own supervisor, five kinds at a time: one that ends when asked, one
that ignores SIGTERM, one with children, one that ends at once, one that is killed from outside.
Now and then the supervisor is killed as well: at any moment; between the start of a process and
the note of its pid; and so that a pid it noted is a stranger's when the next supervisor comes.
After each round nothing may be left: no zombie, no orphan. Exits with 1 if anything was, or if a
stranger got a signal. Choosing a stranger's pid needs root on Linux; elsewhere the note is changed.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

from bench.chaos import dummy_processes
from bench.chaos.bystanders import Stranger
from bench.harness.services import wait_until
from settings import ROOT
from supervisor import desired_state
from supervisor.control import Overview, Processes
from supervisor.desired_state import DesiredState
from supervisor.process import environment
from supervisor.process_identity import AS
from supervisor.state_dir import STATE_FILE, StateDir

PATIENCE = 60.0
EVENTS = ("nothing", "kill", "nothing", "die unnoted", "nothing", "reuse")
OFF = ("stopped", None)


class Cycles:
    """A home with its supervisor, the strangers beside it, and what was counted."""

    def __init__(self, home: Path, seed: int) -> None:
        self.counts: Counter[str] = Counter()
        self.left: list[str] = []
        self._folder = StateDir(home)
        self._folder.create()
        self._processes = Processes(home)
        self._chance = random.Random(seed)
        self._strangers: list[Stranger] = []
        twin = dummy_processes.spec(self._folder, "struck")
        # Ours by its name and command line, but of another home: who looks for ours may find it.
        another = {"KOINX_HOME": "/another", AS: f"{twin.name}:{twin.fingerprint}"}
        self._twin = subprocess.Popen(
            twin.command, env=os.environ | another, start_new_session=True
        )
        self._supervisor = self._supervise()

    def round(self, number: int) -> None:
        """Each kind started and ended once, with an event between."""
        event = EVENTS[number % len(EVENTS)]
        self.counts[f"event: {event}"] += 1
        if event == "die unnoted":
            (self._folder.run / dummy_processes.DEATH).touch()
        self._request(
            lambda old: old.up(list(dummy_processes.KINDS), {"KOINX_HOME": str(self._folder.home)})
        )
        if event == "die unnoted":
            self._supervisor.wait(PATIENCE)
            self._supervisor = self._supervise()
        overview = self._until(_all_started, "all to be started")
        self._strike(overview)
        if event == "kill":
            time.sleep(self._chance.uniform(0, 0.3))
            self._end_supervisor()
            self._supervisor = self._supervise()
        elif event == "reuse":
            self._reuse()
        for kind in self._chance.sample(dummy_processes.KINDS, len(dummy_processes.KINDS)):
            self._request(lambda old, kind=kind: old.stop(kind))  # type: ignore[misc]
        self._until(_all_stopped, "all to be stopped")
        self.counts["cycles"] += len(dummy_processes.KINDS)
        self._look(number)

    def count_strangers(self) -> None:
        """Counts them, and notes what reached them."""
        found = {f"stranger {one.pid}": one.signals() for one in self._strangers}
        ended = self._twin.poll()
        found["twin"] = [] if ended is None else [f"ended with {ended}"]
        self.left += [f"{name} got {', '.join(got)}" for name, got in found.items() if got]
        self.counts["strangers"] = len(found)
        self.counts["signals that reached a stranger"] = sum(map(len, found.values()))

    def end(self) -> None:
        """Ends the supervisor, the strangers, and whatever should not be there any more."""
        self._end_supervisor()
        for stranger in self._strangers:
            stranger.end()
        self._twin.kill()
        self._twin.wait()
        for one in self._of_this_home():
            with suppress(psutil.Error):
                one.kill()

    def _supervise(self) -> "subprocess.Popen[bytes]":
        with self._folder.log("supervisor").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "bench.chaos.dummy_processes", str(self._folder.home)],
                cwd=ROOT,
                env=environment(self._folder.home),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _end_supervisor(self) -> None:
        self._supervisor.kill()
        self._supervisor.wait()

    def _request(self, change: Callable[[DesiredState], DesiredState]) -> None:
        self._serial = desired_state.update(self._folder, change)

    def _until(self, condition: Callable[[Overview], bool], what: str) -> Overview:
        def look() -> Overview | None:
            found = self._processes.overview()
            known = found.serial >= self._serial and self._processes.supervised()
            return found if known and condition(found) else None

        return wait_until(look, what, PATIENCE)

    def _strike(self, overview: Overview) -> None:
        """Kills the one that is there to be killed, at any moment of its life."""
        time.sleep(self._chance.uniform(0, 0.2))
        struck = overview.get("struck")
        if struck and struck["pid"]:
            with suppress(ProcessLookupError):
                os.kill(struck["pid"], signal.SIGKILL)

    def _reuse(self) -> None:
        """Lets a stranger have the pid of a process that ended while no supervisor looked."""
        self._end_supervisor()
        state = self._folder.read(STATE_FILE)
        deaf = next(one for one in state["processes"] if one["name"] == "deaf")
        os.kill(deaf["pid"], signal.SIGKILL)
        wait_until(lambda: not psutil.pid_exists(deaf["pid"]), "a pid to be free")
        notes = self._folder.logs / f"stranger-{len(self._strangers)}"
        try:
            self._strangers.append(Stranger(notes, deaf["pid"]))
            self.counts["pids given to a stranger"] += 1
        except OSError:
            self._strangers.append(Stranger(notes))
            deaf["pid"] = deaf["identity"]["pid"] = self._strangers[-1].pid
            self._folder.write(STATE_FILE, state)
            self.counts["notes that name a stranger"] += 1
        self._supervisor = self._supervise()

    def _look(self, number: int) -> None:
        zombies = [one for one in self._children() if _is_zombie(one)]
        orphans = self._of_this_home()
        self.counts["zombies"] += len(zombies)
        self.counts["orphans"] += len(orphans)
        self.left += [f"round {number}: zombie {one.pid}" for one in zombies]
        self.left += [f"round {number}: orphan {one}" for one in orphans]

    def _children(self) -> list[psutil.Process]:
        return psutil.Process(self._supervisor.pid).children()

    def _of_this_home(self) -> list[psutil.Process]:
        found = []
        for one in psutil.process_iter():
            with suppress(psutil.Error, OSError):
                ours = one.environ().get("KOINX_HOME") == str(self._folder.home)
                if ours and one.pid not in (os.getpid(), self._supervisor.pid):
                    found.append(one)
        return found


def _all_started(overview: Overview) -> bool:
    """What ends at once is never met: it is waiting for its next start, or was given up."""
    brief = overview.get("brief")
    tried = brief is not None and brief["state"] in ("crashed", "failed", "starting")
    others = [one for one in overview.processes if one["name"] not in ("brief", "struck")]
    return (
        tried
        and len(others) == len(dummy_processes.KINDS) - 2
        and all(one["pid"] for one in others)
    )


def _all_stopped(overview: Overview) -> bool:
    return all((one["state"], one["pid"]) == OFF for one in overview.processes)


def _is_zombie(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return process.status() == psutil.STATUS_ZOMBIE
    return False


def run(home: Path, cycles: int, seed: int = 1) -> Cycles:
    """So many cycles at least, ended and counted."""
    one = Cycles(home, seed)
    try:
        for number in range(-(-cycles // len(dummy_processes.KINDS))):
            one.round(number)
        one.count_strangers()
    finally:
        one.end()
    return one


def main() -> int:
    """Runs, and prints what was counted; the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cycles", type=int, default=1000, help="starts and ends (1000)")
    parser.add_argument("--seed", type=int, default=1, help="another seed, other moments (1)")
    options = parser.parse_args()
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="koinx-cycles-") as home:
        found = run(Path(home), options.cycles, options.seed)
    for what, count in found.counts.items():
        print(f"{what:<34}{count:>6}")
    for line in found.left:
        print(f"  {line}")
    print(f"seed {options.seed}, {time.monotonic() - begun:.0f} s")
    return 1 if found.left else 0


if __name__ == "__main__":
    sys.exit(main())
