"""What must be true after a chaos run, whatever was killed: pure checks over what was found.

That nothing which was served to a finished update is lost is shown so. A run notes the moment at
which it had its answer (`hops.fetched`), the moment at which it had claimed its update
(`hops.claimed`, the last claim's), and marks each quote that it stores with the former. So an
answer of the simulator can be a done update's only if it was served between the two, has as many
rows as the update counts as answered, has every quote that this run stored, and each of its rows
is in MongoDB once with its price. Each done update must have such an answer, and no two the same
one. This proves that an answer served while the update was worked on is stored whole, and that
no update counts quotes that it was not given. It cannot tell two answers apart of which both fit:
one that a dying run was given while the closing run worked could stand for the other, but only if
every quote that the closing run stored is in it.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bench.chaos.served_log import Answer, Key, Row, by_fetched, match, split

CLOSED = ("done", "failed", "missed")
# What killing and freezing alone can do to an update; the simulator itself is never struck.
EXPLAINED = (
    r"nothing was running when it was due",
    r"its slot was over before (anyone could fetch it|an attempt succeeded)",
    r"\d+ attempts did not end",
    r"\S+ (did not answer in time|broke off its answer.*)",  # whoever asked was frozen
)
SHOWN = 5  # examples of a breach

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Evidence:
    """What MongoDB holds, what the simulator served, and the seconds between two slots.

    `accepted` are the ids of the updates that the API said it would carry out.
    """

    updates: Sequence[Document]
    quotes: Sequence[Document]
    served: Sequence[Row]
    every: int
    accepted: Sequence[str] = ()


@dataclass(frozen=True)
class Breach:
    """One thing that must not be: `kind` is what it is counted as."""

    kind: str
    text: str


def check(evidence: Evidence) -> list[Breach]:
    """Every breach; [] when all is as it must be."""
    return [
        *slots(evidence),
        *accepted(evidence),
        *ends(evidence.updates),
        *stored_once(evidence.quotes),
        *nothing_invented(evidence),
        *counts(evidence),
        *nothing_lost(evidence),
    ]


def slots(evidence: Evidence) -> Iterator[Breach]:
    """Every slot between the first and the last has exactly one update."""
    found = Counter(update["slot"] for update in evidence.updates if update["slot"])
    if not found:
        yield Breach("gap", "no slot has an update")
        return
    slot, last = min(found), max(found)
    while slot <= last:
        if found[slot] == 0:
            yield Breach("gap", f"slot {slot:%H:%M:%S} has no update")
        slot += timedelta(seconds=evidence.every)
    for slot, number in found.items():
        if number > 1:
            yield Breach("doubled", f"slot {slot:%H:%M:%S} has {number} updates")


def accepted(evidence: Evidence) -> Iterator[Breach]:
    """Every update that the API accepted is in the ledger."""
    known = {update["_id"] for update in evidence.updates}
    for name in evidence.accepted:
        if name not in known:
            yield Breach("lost", f"update {name} was accepted, and is not in the ledger")


def ends(updates: Sequence[Document]) -> Iterator[Breach]:
    """Every update has ended, for a reason that the blows explain if it is not done."""
    for update in updates:
        if update["state"] not in CLOSED:
            yield Breach("stuck", f"update {update['_id']} is {update['state']}")
        elif update["state"] != "done" and not explained(update["error"]):
            yield Breach(
                "unexplained", f"update {update['_id']} is {update['state']}: {update['error']}"
            )


def explained(reason: str | None) -> bool:
    """Whether each part of a reason is one that killing and freezing can lead to."""
    return bool(reason) and all(
        any(re.fullmatch(known, part) for known in EXPLAINED) for part in str(reason).split("; ")
    )


def stored_once(quotes: Sequence[Document]) -> Iterator[Breach]:
    """No quote, that is coin and time, is stored twice."""
    found = Counter(_key(quote) for quote in quotes)
    for key, number in found.items():
        if number > 1:
            yield Breach("doubled", f"quote {_shown(key)} is stored {number} times")


def nothing_invented(evidence: Evidence) -> Iterator[Breach]:
    """Every stored quote was served, with this price."""
    served = _prices(evidence.served)
    for quote in evidence.quotes:
        key = _key(quote)
        if key not in served:
            yield Breach("invented", f"quote {_shown(key)} was never served")
        elif quote["price"] not in served[key]:
            yield Breach(
                "wrong price",
                f"quote {_shown(key)} is {quote['price']}, served was {sorted(served[key])}",
            )


def counts(evidence: Evidence) -> Iterator[Breach]:
    """A done update's counts add up, and are those of the quotes that its run marked."""
    marked = by_fetched(evidence.quotes)
    told: dict[datetime, int] = defaultdict(int)
    for update in _done(evidence):
        count = update["counts"]
        told[update["hops"]["fetched"]] += count["stored"]
        if (
            count["stored"] + count["unchanged"] != count["answered"]
            or count["answered"] + count["left_out"] != count["asked"]
            or count["answered"] == 0
        ):
            yield Breach("miscounted", f"update {update['_id']}: {dict(count)}")
    for fetched, number in told.items():
        if number != len(marked[fetched]):
            yield Breach(
                "miscounted",
                f"{number} quotes were counted as stored by the run that had its answer at "
                f"{fetched:%H:%M:%S.%f}, {len(marked[fetched])} are there",
            )


def nothing_lost(evidence: Evidence) -> Iterator[Breach]:
    """Each done update had an answer of its own, of which every row is stored."""
    answers = split(evidence.served)
    stored: dict[Key, float] = {_key(quote): quote["price"] for quote in evidence.quotes}
    marked = by_fetched(evidence.quotes)
    runs = Counter(update["hops"]["fetched"] for update in _done(evidence))
    possible: dict[str, list[int]] = {}
    fitting: dict[str, list[int]] = {}
    for update in _done(evidence):
        fetched = update["hops"]["fetched"]
        # Of two runs that had their answers in the same millisecond, the marks say nothing.
        own: set[Key] = marked[fetched] if runs[fetched] == 1 else set()
        possible[update["_id"]] = [
            number
            for number, answer in enumerate(answers)
            if answer.within(update)
            and len(answer.rows) == update["counts"]["answered"]
            and own <= {row.key for row in answer.rows}
        ]
        fitting[update["_id"]] = [
            number for number in possible[update["_id"]] if not _missing(answers[number], stored)
        ]
    matched = match(fitting)
    for name in fitting:
        if name in matched:
            continue
        missing = [_missing(answers[number], stored) for number in possible[name]]
        if not missing:
            yield Breach("unserved", f"update {name} is done, but was served no such answer")
        elif [] in missing:
            yield Breach("unserved", f"update {name} is done, but its answer was another's")
        else:
            for row in min(missing, key=len):
                yield Breach("lost", f"quote {_shown(row.key)}, served to the done update {name}")


def _missing(answer: Answer, stored: Mapping[Key, float]) -> list[Row]:
    return [row for row in answer.rows if row.key not in stored]


def _done(evidence: Evidence) -> list[Document]:
    return [update for update in evidence.updates if update["state"] == "done"]


def _prices(served: Sequence[Row]) -> dict[Key, set[float]]:
    prices: dict[Key, set[float]] = defaultdict(set)
    for row in served:
        prices[row.key].add(row.price)
    return prices


def _key(quote: Document) -> Key:
    return quote["_id"]["coin"], quote["_id"]["at"]


def _shown(key: Key) -> str:
    return f"{key[0]} of {key[1]:%H:%M:%S.%f}"
