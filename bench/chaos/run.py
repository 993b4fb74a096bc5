"""Kill, freeze and restart processes at random while updates go on: `python -m bench.chaos`.

Starts a demo system of its own with a slot every few seconds, strikes its processes one after the
other, as `--seed` says, and waits each time until an update that came after the blow is done. At
the end it checks in MongoDB that every slot has its update, that none is stuck, and that every
quote served is there once and right. Exits with 1, and keeps the system's folder, if anything is
not as it must be, or if recovery took longer than 30 s in more than 5 % of the cases, or 60 s in
one. The market simulator is never struck: it is the outside.
"""

import argparse
import math
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.chaos.faults import Blow, plan, strike
from bench.chaos.invariants import Breach, Evidence, check
from bench.chaos.observer import Witness, now
from bench.chaos.report import LONGEST, Report, Round
from bench.chaos.traffic import Asked
from bench.harness.system import System, running
from supervisor.control import Processes

PATIENCE = 180.0  # seconds after which a system is given up that does not recover
SETTLING = 150.0  # ensure-slot enters what was missed once a minute
QUIET = 30.0
SOURCE_SECONDS = 0.2  # that an answer of the source takes: there is something to strike
CALM_UPDATES = 3  # that must get done after the last blow

Say = Callable[[str], None]


@dataclass(frozen=True)
class Options:
    """How many blows, and how they come; seconds."""

    kills: int = 200
    seed: int = 1
    pause: tuple[float, float] = (3.0, 8.0)
    freeze: float = 20.0
    every: int = 5
    coins: int = 50


def run(home: Path, options: Options, say: Say = print) -> Report:
    """A whole run in `home`: the system started, struck, checked and ended."""
    settings = {"COINS": f"top:{options.coins}", "CRON_SCHEDULE": f"*/{options.every} * * * * *"}
    with running(home, "--demo", **settings) as system:
        market = system.market()
        market.fault("slow", delay=SOURCE_SECONDS, times=None, path="/coins/markets")
        one = Run(system, options, say)
        try:
            one.strike_all()
            return one.settle()
        finally:
            one.witness.close()


class Run:
    """One run on a system that is up."""

    def __init__(self, system: System, options: Options, say: Say) -> None:
        self._system = system
        self._options = options
        self._say = say
        self._asked = Asked(system)
        self._rounds: list[Round] = []
        self._breaches: list[Breach] = []
        self.witness = Witness(system)

    def strike_all(self) -> None:
        """Strikes blow after blow, unless the system does not come back from one."""
        of = self._options
        for number, blow in enumerate(plan(of.seed, of.kills, of.pause, of.freeze), 1):
            one = self._strike(blow)
            self._rounds.append(one)
            late = "" if one.recovery <= LONGEST else "  LATE"
            self._say(f"{number:>4}  {one.begun:%H:%M:%S}  {blow!s:<24}{one.recovery:6.1f} s{late}")
            if one.recovery == math.inf:
                return

    def _strike(self, blow: Blow) -> Round:
        """Strikes one blow, and waits until a slot's update is done that came after it."""
        time.sleep(blow.pause)
        begun = now()
        try:
            with strike(self._system, blow, self._asked.ask) as struck:
                self._asked.ask()
                done = self.witness.first_done(struck.since, PATIENCE)
        except AssertionError as error:
            self._breach("blow", f"{blow}: {error}")
            return Round(blow, begun, math.inf)
        for text in struck.complaints:
            self._breach("blow", f"{blow}: {text}")
        self.witness.served()
        if done is None:
            return Round(blow, struck.begun, math.inf)
        return Round(blow, struck.begun, (done["finished_at"] - struck.begun).total_seconds())

    def settle(self) -> Report:
        """Lets the system come to rest without a blow, then checks everything."""
        witness, every = self.witness, self._options.every
        after = now()
        if not witness.done_since(after, CALM_UPDATES, SETTLING):
            self._breach("stuck", f"no {CALM_UPDATES} updates were done after the last blow")
        witness.closed(after, SETTLING)
        witness.whole(every, SETTLING)
        # No slot any more: what is compared now must stand still.
        Processes(self._system.home).stop("beat")
        witness.closed(now(), QUIET)
        accepted = self._asked.accepted
        updates, quotes, served = witness.updates(), witness.quotes(), witness.served()
        self._breaches += check(Evidence(updates, quotes, served, every, list(accepted)))
        for text in witness.wrong_stats(quotes, QUIET):
            self._breach("stats", text)
        return Report(self._rounds, updates, accepted, len(quotes), len(served), self._breaches)

    def _breach(self, kind: str, text: str) -> None:
        self._breaches.append(Breach(kind, text))


def span(text: str) -> tuple[float, float]:
    shortest, _, longest = text.partition("..")
    return float(shortest), float(longest or shortest)


def main() -> int:
    """Runs, and prints what was found; the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=200, help="blows (200)")
    parser.add_argument("--seed", type=int, default=1, help="another seed, other blows (1)")
    parser.add_argument("--pause", type=span, default=(3.0, 8.0), help="seconds between (3..8)")
    parser.add_argument("--freeze", type=float, default=20.0, help="longest freeze, seconds (20)")
    parser.add_argument("--every", type=int, default=5, help="seconds between two slots (5)")
    options = Options(**vars(parser.parse_args()))
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    # Ended from outside, it must not leave its system running.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    home = Path(tempfile.mkdtemp(prefix="koinx-chaos-"))
    started = time.monotonic()
    report = run(home, options)
    for line in report.lines():
        print(line)
    print(f"seed {options.seed}, {time.monotonic() - started:.0f} s")
    if report.good:
        shutil.rmtree(home)
        return 0
    print(f"the logs are kept in {home / 'logs'}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
