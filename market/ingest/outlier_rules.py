"""Judges whether a price is credible by the coin's own past: pure functions over prices in time.

A move under 50 % (more than half of the price before, less than one and a half times) is always
credible. A greater move has to fit the coin. Prices spread with the square root of time, so each of
its last 100 moves is measured as |ln(price / price before)| per root of a quarter of an hour. The
limit is three times the greater of two of these rates, times the root of the time since the price
before: the tenth greatest of all, which is usual for the coin, and the second greatest of the last
five, which is usual now. A single crash or outlier changes neither, and five prices after a
collapse the coin is guarded again.

The limit is never below 0.03, which is 0.29 over a day, some five times the standard deviation of
bitcoin's and ether's daily moves (0.02 to 0.06 in recorded charts): it allows for long gaps, a
factor of 2.2 after a week, of 10 after two months. It is never above ln 5: a misplaced decimal
point is a factor of 10, and within a quarter of an hour no past makes that credible.

A price that is not credible is held until the coin's next price. If that one is nearer to it than
to the price before, by |ln|, the coin has really moved: an outlier is not followed by prices of its
own size. If not, it is dropped. So nothing is held beyond the next price.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from math import exp, inf, log, sqrt
from typing import Generic, Literal, Protocol, TypeVar

FALL, RISE = 0.5, 1.5  # a price between these multiples of the one before is never held
WINDOW = 100  # prices whose moves are examined
UNIT = timedelta(minutes=15)  # a shorter time counts as this long
MIN_RATE, MAX_RATE = 0.03, log(5)  # |ln| per root of UNIT
USUAL, RECENT = (WINDOW, 10), (5, 2)  # (of the newest n moves, the k-th greatest) counts
MARGIN = 3
LARGEST = 700.0  # exp of more than 709 overflows


class Priced(Protocol):
    """A price and its time: a quote, or a stored record."""

    @property
    def at(self) -> datetime: ...
    @property
    def price(self) -> float: ...


Reading = TypeVar("Reading", bound=Priced)


@dataclass(frozen=True, slots=True)
class Verdict(Generic[Reading]):
    """What becomes of a reading.

    `doubt` says why it was not credible at once (None: it was), `evidence` what the next price
    showed (None: there is none yet).
    """

    reading: Reading
    outcome: Literal["good", "held", "dropped"]
    doubt: str | None = None
    evidence: str | None = None


def is_usual(before: float, price: float) -> bool:
    """Whether a move is under 50 %, or none, and so is never held."""
    return FALL * before < price < RISE * before or price == before


def max_move(past: Sequence[Priced], elapsed: timedelta) -> float:
    """Returns the greatest |ln(price / price before)| that is credible after `elapsed`.

    `past` are the coin's prices, oldest first, each above 0.
    """
    rates = [abs(log(b.price) - log(a.price)) / _root(b.at - a.at) for a, b in pairwise(past)]
    ranked = [
        sorted(rates[-newest:])[-place] for newest, place in (USUAL, RECENT) if len(rates) >= place
    ]
    rate = min(max(MARGIN * max(ranked, default=0.0), MIN_RATE), MAX_RATE)
    return min(rate * _root(elapsed), LARGEST)


def doubt(past: Sequence[Priced], new: Priced) -> str | None:
    """Returns why a price is not credible after `past` (oldest first); None if it is.

    A price of 0 has no size to compare with, so the newest above 0 is used instead.
    """
    if not past or is_usual(past[-1].price, new.price):
        return None
    worth = [one for one in past if one.price > 0]
    if not worth or is_usual(worth[-1].price, new.price):
        return None
    before = worth[-1]
    elapsed = new.at - before.at
    most = max_move(worth, elapsed)
    if distance(before.price, new.price) <= most:
        return None
    low, high = min(FALL, exp(-most)), max(RISE, exp(most))
    return (
        f"{new.price:.6g} is {new.price / before.price:.4g} times {before.price:.6g}, the price "
        f"{elapsed / timedelta(minutes=1):.0f} min before; its own moves make {low:.3g} to "
        f"{high:.3g} times credible"
    )


def distance(a: float, b: float) -> float:
    """Returns the distance of two prices, |ln(a / b)|; only 0 is near 0."""
    if a == b:
        return 0.0
    return abs(log(a) - log(b)) if a and b else inf


def judge(past: Sequence[Priced], readings: Sequence[Reading]) -> list[Verdict[Reading]]:
    """Walks through a coin's stored prices and its readings by time, and judges each reading.

    A reading with the time of a stored price is good: it is stored.
    """
    known = {one.at for one in past}
    verdicts = [Verdict(one, "good") for one in readings if one.at in known]
    new = [one for one in readings if one.at not in known]
    return verdicts + list(_walk(past, new))


def _walk(past: Sequence[Priced], new: Sequence[Reading]) -> Iterator[Verdict[Reading]]:
    accepted: list[Priced] = []
    held: tuple[Reading, str] | None = None
    steps: list[tuple[Priced, Reading | None]] = [(one, None) for one in past]
    steps += [(one, one) for one in new]
    for price, reading in sorted(steps, key=lambda step: step[0].at):
        if held is not None:
            verdict = _settle(*held, accepted[-1], price)
            if verdict.outcome == "good":
                accepted.append(verdict.reading)
            yield verdict
            held = None
        reason = doubt(accepted[-WINDOW:], price) if reading is not None else None
        if reading is not None and reason is not None:
            held = reading, reason
            continue
        accepted.append(price)
        if reading is not None:
            yield Verdict(reading, "good")
    if held is not None:
        yield Verdict(held[0], "held", held[1])


def _settle(held: Reading, why: str, before: Priced, after: Priced) -> Verdict[Reading]:
    """Returns what the next price shows of a held one."""
    said = f"the next price, {after.price:.6g}, is nearer to "
    if distance(after.price, held.price) < distance(after.price, before.price):
        return Verdict(held, "good", why, f"{said}it than to {before.price:.6g}")
    return Verdict(held, "dropped", why, f"{said}{before.price:.6g} than to it")


def _root(elapsed: timedelta) -> float:
    return sqrt(max(elapsed / UNIT, 1.0))
