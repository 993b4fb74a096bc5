"""What a chaos run does to processes: which blows, in which order, and how each is struck."""

import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice

import psutil

from bench.harness.services import wait_until
from bench.harness.system import System
from supervisor.control import Processes
from supervisor.process_identity import Identity
from supervisor.state_dir import SUPERVISOR_FILE, StateDir

KINDS = ("kill", "freeze", "restart")
# Target, and the process of `./koinx status` that it is, or is a child of.
PROCESSES = {
    "worker": "worker",
    "pool child": "worker",
    "beat": "beat",
    "api": "api",
    "api worker": "api",
    "nats": "nats",
    "redis": "redis",
    "mongodb": "mongodb",
    "supervisor": "",
}
CHILDREN = ("pool child", "api worker")
UNASKED = (*CHILDREN, "supervisor")  # nobody can ask for a restart of these
SHORTEST_FREEZE = 0.5
# An update is in work for a part of a second. So that its claim, its fetch and its writes are
# struck too, half of the blows come so many seconds after one was asked for.
AIMED = 0.5
IN_WORK = (0.0, 0.25)
PRESENT_SECONDS = 90.0  # until a process that an earlier blow has ended is there again


@dataclass(frozen=True)
class Blow:
    """One blow: `pause` seconds before it, `seconds` that a freeze lasts, `pick` of the children.

    `pick` lies in [0, 1): how many children there are is only known when it is struck. `offset`:
    an update is asked for so many seconds before it.
    """

    target: str
    kind: str
    pause: float
    seconds: float
    pick: float
    offset: float | None = None

    def __str__(self) -> str:
        length = f" for {self.seconds:.0f} s" if self.kind == "freeze" else ""
        return f"{self.kind} {self.target}{length}"


@dataclass
class Struck:
    """A blow that was struck: when it began, since when it works, and what went wrong with it."""

    begun: datetime
    since: datetime
    complaints: list[str] = field(default_factory=list)


def plan(seed: int, count: int, pause: tuple[float, float], longest_freeze: float) -> list[Blow]:
    """`count` blows, the same for the same seed: evenly over targets, and over each one's kinds."""
    chance = random.Random(seed)
    kinds = {target: _shuffled_for_ever(chance, _kinds(target)) for target in PROCESSES}
    targets = _shuffled_for_ever(chance, tuple(PROCESSES))
    return [
        Blow(
            target,
            next(kinds[target]),
            chance.uniform(*pause),
            chance.uniform(SHORTEST_FREEZE, longest_freeze),
            chance.random(),
            chance.uniform(*IN_WORK) if chance.random() < AIMED else None,
        )
        for target in islice(targets, count)
    ]


def _kinds(target: str) -> tuple[str, ...]:
    return tuple(kind for kind in KINDS if kind != "restart" or target not in UNASKED)


def _shuffled_for_ever(chance: random.Random, names: tuple[str, ...]) -> Iterator[str]:
    while True:
        yield from chance.sample(names, len(names))


@contextmanager
def strike(system: System, blow: Blow, ask: Callable[[], None]) -> Iterator[Struck]:
    """Strikes; at the block's end, what was frozen goes on, and there is a supervisor again.

    `ask` asks for an update.
    """
    victim = wait_until(lambda: _victim(system, blow), f"{blow.target} to run", PRESENT_SECONDS)
    before = leaders(system)
    if blow.offset is not None:
        ask()
        time.sleep(blow.offset)
    begun = datetime.now(UTC)
    if blow.kind == "restart":
        _restart(system, PROCESSES[blow.target], victim)
        yield Struck(begun, datetime.now(UTC))
    elif blow.kind == "freeze":
        with _frozen(victim, blow.seconds):
            yield Struck(begun, datetime.now(UTC))
    else:
        victim.signal(signal.SIGKILL)
        struck = Struck(begun, datetime.now(UTC))
        yield struck
        if blow.target == "supervisor":
            struck.complaints += _adopt(system, before)


def _victim(system: System, blow: Blow) -> Identity | None:
    if blow.target == "supervisor":
        record = StateDir(system.home).read(SUPERVISOR_FILE)
        found = Identity.from_record(record)
        return found if found and found.alive() else None
    leader = leaders(system).get(PROCESSES[blow.target])
    if leader is None or blow.target not in CHILDREN:
        return leader
    children = _children(leader)
    return children[int(blow.pick * len(children))] if children else None


def leaders(system: System) -> dict[str, Identity]:
    """Who runs, by name. A pid that the supervisor noted may be nobody's by now."""
    overview = Processes(system.home).overview()
    known = {p["name"]: Identity.of(p["pid"]) for p in overview.processes if p["pid"]}
    return {name: identity for name, identity in known.items() if identity}


def _children(leader: Identity) -> list[Identity]:
    """The leader's children that do its work, without the one that minds multiprocessing's own."""
    with suppress(psutil.Error):
        children = psutil.Process(leader.pid).children()
        pids = sorted(one.pid for one in children if "resource_tracker" not in str(one.cmdline()))
        return [child for pid in pids if (child := Identity.of(pid))]
    return []


def _restart(system: System, name: str, victim: Identity) -> None:
    """Asks for a restart, as the command line does; returns when the old process is gone."""
    processes = Processes(system.home)
    settings = processes.settings()
    assert settings is not None, "somebody took the system down"
    processes.restart(name, settings)
    wait_until(lambda: not victim.alive(), f"{name} to end for its restart", PRESENT_SECONDS)


@contextmanager
def _frozen(victim: Identity, seconds: float) -> Iterator[None]:
    until = time.monotonic() + seconds
    victim.signal(signal.SIGSTOP)
    thaw = threading.Timer(seconds, victim.signal, (signal.SIGCONT,))
    thaw.daemon = True
    thaw.start()
    try:
        yield
        thaw.join(max(0.0, until - time.monotonic()) + 1)
    finally:
        thaw.cancel()
        victim.signal(signal.SIGCONT)


def _adopt(system: System, before: dict[str, Identity]) -> list[str]:
    """A new `./koinx up` takes over what runs; what ended with the old supervisor is told."""
    ended = [name for name, one in before.items() if not one.alive()]
    complaints = [f"{name} ended with the supervisor" for name in ended]
    try:
        up = system.koinx("up", "--demo", "--detach")
    except subprocess.TimeoutExpired as late:
        return [*complaints, f"up after the supervisor's end: nothing within {late.timeout:.0f} s"]
    if up.returncode != 0:
        complaints.append(f"up after the supervisor's end: {(up.stdout + up.stderr).strip()}")
    anew = [name for name, one in before.items() if name not in ended and not one.alive()]
    return complaints + [f"{name} was not adopted but started anew" for name in anew]
