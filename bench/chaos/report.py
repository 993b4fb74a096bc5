"""What a chaos run has found, as text."""

import math
import re
import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bench.chaos.faults import KINDS, PROCESSES, Blow
from bench.chaos.invariants import SHOWN, Breach

USUAL, LONGEST = 30.0, 60.0  # seconds: 95 % of all recoveries, and every one
KINDS_OF_BREACH = (
    *("lost", "doubled", "stuck", "gap", "wrong price", "invented", "unserved", "miscounted"),
    *("unexplained", "stats", "blow"),
)


@dataclass(frozen=True)
class Round:
    """A blow, when it came, and after how many seconds an update was done that came after it.

    inf: none was.
    """

    blow: Blow
    begun: datetime
    recovery: float


@dataclass(frozen=True)
class Report:
    """A run: its rounds, the ledger at its end, how much was stored and served, what is wrong.

    `accepted` are the updates that were asked for and accepted, with the time at which.
    """

    rounds: Sequence[Round]
    updates: Sequence[Mapping[str, Any]]
    accepted: Mapping[str, datetime]
    quotes: int
    served: int
    breaches: Sequence[Breach]

    @property
    def slow(self) -> list[str]:
        """In what the recoveries were outside of their bounds."""
        times = sorted(one.recovery for one in self.rounds)
        if not times:
            return []
        found = []
        if (usual := percentile(times, 95)) > USUAL:
            found.append(f"95 % of the recoveries took up to {usual:.1f} s, not {USUAL:.0f}")
        if times[-1] > LONGEST:
            found.append(f"a recovery took {times[-1]:.1f} s, not at most {LONGEST:.0f}")
        return found

    @property
    def in_work(self) -> int:
        """How many blows came between an update's event and its end."""
        ways = [(one.get("hops", {}).get("published"), one["finished_at"]) for one in self.updates]
        return sum(
            any(start and end and start <= one.begun <= end for start, end in ways)
            for one in self.rounds
        )

    @property
    def taken_over(self) -> int:
        """How many updates were done after a run that did not come to its end."""
        return sum(one["state"] == "done" and one["fence"] > 1 for one in self.updates)

    @property
    def good(self) -> bool:
        """Whether all is as it must be."""
        return not self.breaches and not self.slow

    def lines(self) -> Iterator[str]:
        """The report, line by line."""
        yield f"{len(self.rounds)} rounds"
        yield from self._blows()
        yield f"{len(self.updates)} updates, {self.quotes} quotes stored, {self.served} rows served"
        yield from self._ends()
        yield f"{self.in_work} blows came while an update was under way"
        yield f"{self.taken_over} updates were carried out by another try than the first"
        found = Counter(breach.kind for breach in self.breaches)
        yield ", ".join(f"{kind} {found[kind]}" for kind in KINDS_OF_BREACH)
        yield from self._recoveries()
        for kind in KINDS_OF_BREACH:
            texts = [breach.text for breach in self.breaches if breach.kind == kind]
            yield from (f"BROKEN {kind}: {text}" for text in texts[:SHOWN])
            if len(texts) > SHOWN:
                yield f"BROKEN {kind}: and {len(texts) - SHOWN} more"
        yield from (f"BROKEN recovery: {text}" for text in self.slow)
        yield "all invariants hold" if self.good else "NOT all is as it must be"

    def _blows(self) -> Iterator[str]:
        done = Counter((one.blow.target, one.blow.kind) for one in self.rounds)
        yield f"  {'':<12}" + "".join(f"{kind:>9}" for kind in KINDS)
        for target in PROCESSES:
            yield f"  {target:<12}" + "".join(f"{done[target, kind]:>9}" for kind in KINDS)

    def _ends(self) -> Iterator[str]:
        ends = Counter((o["trigger"], o["state"], plain(o["error"])) for o in self.updates)
        for (trigger, state, reason), number in sorted(ends.items()):
            yield f"  {number:>6} {trigger:<9}{state}" + (f": {reason}" if reason else "")
        took = sorted(
            (one["finished_at"] - self.accepted[one["_id"]]).total_seconds()
            for one in self.updates
            if one["_id"] in self.accepted and one["finished_at"]
        )
        if took:
            yield f"{len(self.accepted)} accepted requests ended, {spread(took)}"

    def _recoveries(self) -> Iterator[str]:
        if not self.rounds:
            return
        worst = sorted(self.rounds, key=lambda one: one.recovery, reverse=True)
        times = [one.recovery for one in reversed(worst)]
        yield (f"recovery, {spread(times)}")
        shown = ", ".join(f"{one.recovery:.1f} ({one.blow})" for one in worst[:3])
        yield f"  the worst: {shown}"


def spread(ordered: Sequence[float]) -> str:
    """How seconds are distributed."""
    return (
        f"seconds: min {ordered[0]:.1f}, median {statistics.median(ordered):.1f}, "
        f"95 % {percentile(ordered, 95):.1f}, max {ordered[-1]:.1f}"
    )


def percentile(ordered: Sequence[float], percent: float) -> float:
    """The smallest value that so many per cent of all do not exceed (nearest rank)."""
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def plain(reason: str | None) -> str:
    """A reason without what differs from update to update."""
    return re.sub(r"\d+(\.\d+)+(:\d+)?", "N", reason or "")
