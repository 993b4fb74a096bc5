"""Time an event's recovery after a burst of kills: `python -m bench.chaos.burst`.

Each run starts a demo system of its own and kills its processes 25 times in about a minute, without
waiting for any of them to come back. After the last kill it publishes an event, and measures the
seconds from JetStream's acknowledgement until the event's update is done. It prints how long each
hop took, and which processes were not ready meanwhile; then it checks what `bench.chaos` checks.
Exits with 1, and keeps the system's folder, if a recovery took longer than 20 s or an invariant is
broken.
"""

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path

from api_client.updates import HOPS, seconds
from bench.chaos.faults import leaders
from bench.chaos.invariants import Breach
from bench.chaos.observer import Witness, now
from bench.chaos.report import spread
from bench.chaos.run import Options, Run, Say, span
from bench.harness.system import System, running
from bridge.connection import Connection
from bridge.events import UpdateRequested
from bridge.publisher import NotPublished, publish
from logs.formatters import readable
from settings import load
from supervisor.control import Processes

TARGETS = ("worker", "api", "beat", "redis", "nats", "mongodb")
SIGNALS = {"kill": signal.SIGKILL, "term": signal.SIGTERM}
LIMIT = 20.0  # seconds from the acknowledgement to the update's end
SLOW = 15.0  # the log lines of a slower update are shown
PATIENCE = 180.0
LOOK = 0.05


@dataclass(frozen=True)
class Kill:
    """`pause` seconds after the kill before: the first of `targets` that runs gets a signal."""

    pause: float
    targets: tuple[str, ...]
    signal: str


@dataclass(frozen=True)
class Recovery:
    """What became of the event: the last kill, when it was acknowledged, its hops, who was away.

    `hops` ends with `finished` if the update is done. `away` has an entry for each time that a
    process was not ready; `log` the lines that name the update.
    """

    last: str
    killed: datetime
    acknowledged: datetime
    hops: dict[str, datetime]
    away: list[tuple[str, datetime, datetime]]
    log: list[str]

    @property
    def took(self) -> float:
        """Seconds from the acknowledgement to the end; inf without one."""
        if end := self.hops.get("finished"):
            return (end - self.acknowledged).total_seconds()
        return float("inf")

    def lines(self) -> Iterator[str]:
        """The hops from the acknowledgement on, each with those who were away."""
        reached = {name: self.hops[name] for name in HOPS if name in self.hops}
        later = [(name, at) for name, at in reached.items() if at > self.acknowledged]
        for (_, before), (name, at) in pairwise([("acknowledged", self.acknowledged), *later]):
            away = ", ".join(self._away(before, at))
            took = seconds((at - before).total_seconds())
            yield f"{name:<10} + {took:>7}" + (f"  not ready: {away}" if away else "")

    def _away(self, start: datetime, end: datetime) -> Iterator[str]:
        for name, since, until in self.away:
            if min(end, until) > max(start, since):
                lost = (until - max(since, self.killed)).total_seconds()
                yield f"{name} until {seconds(max(0.0, lost))} after the last kill"


def plan(seed: int, count: int, pause: tuple[float, float], signals: Iterable[str]) -> list[Kill]:
    """`count` kills, the same for the same seed."""
    chance, names = random.Random(seed), sorted(signals)
    return [
        Kill(
            chance.uniform(*pause),
            tuple(chance.sample(TARGETS, len(TARGETS))),
            chance.choice(names),
        )
        for _ in range(count)
    ]


def burst(system: System, kills: Iterable[Kill]) -> str:
    """Strikes them all; which kill was the last."""
    last = "none"
    for kill in kills:
        time.sleep(kill.pause)
        there = leaders(system)
        if target := next((name for name in kill.targets if name in there), None):
            there[target].signal(SIGNALS[kill.signal])
            last = f"{kill.signal} {target}"
    return last


def recover(system: System, witness: Witness, kills: Iterable[Kill]) -> Recovery:
    """A burst, then an event: waits until its update is done, and says what took the time."""
    with _watched(system) as away:
        last, killed = burst(system, kills), now()
        name, acknowledged = _publish(system, f"burst-{killed:%H%M%S}")
        done = witness.done(name, PATIENCE)
    update = done or next((u for u in witness.updates() if u["_id"] == name), {})
    hops = dict(update.get("hops", {}))
    if not done:
        hops.pop("finished", None)
    return Recovery(last, killed, acknowledged, hops, away, _log(system.home, name))


def _publish(system: System, name: str) -> tuple[str, datetime]:
    url = load(system.bare).server("nats_url")
    connection = Connection(url, "burst")
    try:
        end = time.monotonic() + PATIENCE
        while True:
            try:
                publish(connection, UpdateRequested(name, now()), message_id=name)
                return name, now()
            except NotPublished:
                if time.monotonic() > end:
                    raise
    finally:
        connection.close()


@contextmanager
def _watched(system: System) -> Iterator[list[tuple[str, datetime, datetime]]]:
    """Notes who is not ready, from when to when, as `./koinx status` would show it."""
    away: list[tuple[str, datetime, datetime]] = []
    since: dict[str, datetime] = {}
    ended = threading.Event()

    def look() -> None:
        for one in Processes(system.home).overview().processes:
            if not one["ready"]:
                since.setdefault(one["name"], now())
            elif begun := since.pop(one["name"], None):
                away.append((one["name"], begun, now()))

    def watch() -> None:
        while not ended.wait(LOOK):
            look()

    thread = threading.Thread(target=watch, name="watch", daemon=True)
    thread.start()
    try:
        yield away
    finally:
        ended.set()
        thread.join()
        away += [(name, begun, now()) for name, begun in since.items()]


def _log(home: Path, name: str) -> list[str]:
    found = [
        (line, path.stem)
        for path in (home / "logs").glob("*.log")
        for line in path.read_text(errors="replace").splitlines()
        if name in line
    ]
    return [f"{stem}: {text}" for line, stem in sorted(found) for text in readable(line)]


@dataclass(frozen=True)
class Outcome:
    """One run: its recovery, and what its invariants broke."""

    recovery: Recovery
    breaches: list[Breach]

    @property
    def good(self) -> bool:
        """Whether it was quick enough, and nothing is broken."""
        return self.recovery.took <= LIMIT and not self.breaches


def run(home: Path, kills: Iterable[Kill], say: Say = print) -> Outcome:
    """A whole run in `home`: the system started, struck, checked and ended."""
    options = Options()
    settings = {"COINS": f"top:{options.coins}", "CRON_SCHEDULE": f"*/{options.every} * * * * *"}
    with running(home, "--demo", **settings) as system:
        one = Run(system, options, say)
        try:
            found = recover(system, one.witness, kills)
            return Outcome(found, list(one.settle().breaches))
        finally:
            one.witness.close()


def _tell(number: int, seed: int, outcome: Outcome) -> Iterator[str]:
    found = outcome.recovery
    waited = seconds((found.acknowledged - found.killed).total_seconds())
    verdict = "" if outcome.good else "  NOT good"
    yield (
        f"{number:>3}  seed {seed}, load {os.getloadavg()[0]:.1f}: last {found.last}, "
        f"acknowledged {waited} later, done {found.took:.1f} s after that{verdict}"
    )
    yield from (f"       {line}" for line in found.lines())
    if found.took > SLOW:
        yield from (f"         {line}" for line in found.log)
    yield from (f"     BROKEN {one.kind}: {one.text}" for one in outcome.breaches)


def main() -> int:
    """Runs, and prints what was found; the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=20, help="bursts, a system for each (20)")
    parser.add_argument("--kills", type=int, default=25, help="kills in a burst (25)")
    parser.add_argument("--seed", type=int, default=1, help="of the first run (1)")
    parser.add_argument("--pause", type=span, default=(1.0, 3.8), help="seconds between (1..3.8)")
    parser.add_argument("--signals", default="kill,term", help="drawn from these (kill,term)")
    chosen = parser.parse_args()
    signals = chosen.signals.split(",")
    if unknown := set(signals) - set(SIGNALS):
        parser.error(f"--signals {unknown.pop()!r} is unknown: choose from {', '.join(SIGNALS)}")
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    # Ended from outside, it must not leave its system running.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    started, outcomes = time.monotonic(), []
    for number in range(chosen.runs):
        seed = chosen.seed + number
        home = Path(tempfile.mkdtemp(prefix="koinx-burst-"))
        outcome = run(home, plan(seed, chosen.kills, chosen.pause, signals))
        outcomes.append(outcome)
        for line in _tell(number + 1, seed, outcome):
            print(line)
        if outcome.good:
            shutil.rmtree(home)
        else:
            print(f"     the logs are kept in {home / 'logs'}")
    times = sorted(outcome.recovery.took for outcome in outcomes)
    print(f"{len(times)} recoveries, {spread(times)}; {time.monotonic() - started:.0f} s")
    return int(not all(outcome.good for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
