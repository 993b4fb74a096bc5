"""Sifts an answer's quotes: what is stored, what is held, what is released of what was held.

The order of writing, so that a run may die anywhere and be repeated, or go on beside another:

1. Ticks that are not credible are entered as held, and held ones are settled, each by a
   conditional update that names this update. From here on the collection says what is to be done.
2. Released ticks are inserted, then good quotes; the keys make a second time harmless. Whoever
   finds a released tick inserts it, for the run that released it may have died before.
3. The latest is merged, the update is closed; the ledger names the ticks that carry its id.
4. Ticks that were settled an hour ago are removed.

So a repeated run finds what the first one decided, and neither loses nor doubles it.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from pymongo.database import Database

from market.ingest.outlier_rules import SAMPLE, Priced, Verdict, follow, usual
from market.ingest.quarantine import Held, Tick
from market.ledger.fencing import Check, fenced
from market.model.documents import QUARANTINE_STATES
from market.model.quotes import Quote
from market.storage.quote_history import QuoteHistory
from market.storage.quote_store import Latest

Document = dict[str, Any]
# Quotes that are about to be held, to the ids of those coins that a second source prices alike.
SecondSource = Callable[[Sequence[Quote]], Container[str]]
FITS = "it fits what has been stored since"


@dataclass(frozen=True)
class Sifted:
    """Which quotes of an answer are to be stored, with the ticks that were found or made."""

    good: list[Quote]
    ticks: list[Tick] = field(default_factory=list)

    @property
    def released(self) -> list[Quote]:
        """Held quotes that proved to be good: to be stored too."""
        return [tick.quote for tick in self.ticks if tick.state == "released"]

    @property
    def by_time(self) -> list[Quote]:
        """All that is to be stored, oldest first."""
        released = self.released
        if not released:
            return self.good
        return sorted([*released, *self.good], key=lambda quote: quote.at)

    def entries(self, update: str) -> list[Document]:
        """What the ledger is to say of the ticks that this update held, released or dropped."""
        return [entry for tick in self.ticks if (entry := tick.entry(update)) is not None]

    def counts(self, update: str, quotes: Sequence[Quote], stored: int) -> dict[str, int]:
        """What became of the answered quotes, of which so many were stored, and of older ticks."""
        entries = self.entries(update)
        named = {(entry["coin"], entry["at"]) for entry in entries}
        not_credible = sum((quote.coin, quote.at) in named for quote in quotes)
        ends = Counter(entry["state"] for entry in entries)
        return {
            "stored": stored,
            "unchanged": len(quotes) - stored - not_credible,
            **{state: ends[state] for state in QUARANTINE_STATES},
        }


class Sieve:
    """Holds what is not credible, for the quotes of one database.

    `second` is asked before a quote is held; without one, nothing but its next price confirms it.
    """

    def __init__(self, database: Database[Document], second: SecondSource | None = None) -> None:
        self._database = database
        self._held = Held(database)
        self._history = QuoteHistory(database)
        self._second = second

    def under(self, check: Check) -> Self:
        """The same sieve for as long as a lease is held: each write asks `check` first."""
        return type(self)(fenced(self._database, check), self._second)

    def sift(self, update: str, quotes: Sequence[Quote], latest: Latest) -> Sifted:
        """Sifts an update's quotes that are not the latest ones; enters and settles ticks.

        An answer without a move of 50 % costs one read of `held`, which is empty then.
        """
        ticks = self._held.all()
        waiting = {tick.quote.coin for tick in ticks if tick.state == "held"}
        odd = [one for one in quotes if one.coin in waiting or not _usual(one, latest)]
        if not odd:
            return Sifted(list(quotes), ticks)
        verdicts = self._judged(odd, ticks)
        good = set(quotes).difference(odd) | {one.reading for one in verdicts if one.fate == "good"}
        if self._written(update, verdicts, {tick.quote for tick in ticks}):
            ticks = self._held.all()
        return Sifted([one for one in quotes if one in good], ticks)

    def sifted(self) -> Sifted:
        """The ticks alone, for an update that ends without an answer of its own."""
        return Sifted([], self._held.all())

    def forget(self) -> None:
        """Removes old ticks; to be called once those that were found are stored."""
        self._held.forget()

    def _judged(self, odd: Sequence[Quote], ticks: Iterable[Tick]) -> list[Verdict[Quote]]:
        """The verdicts on quotes, and on the ticks of their coins that wait for a next price."""
        known: dict[str, list[Tick]] = defaultdict(list)
        for tick in ticks:
            known[tick.quote.coin].append(tick)
        verdicts = [one for quote in odd for one in self._followed(quote, known[quote.coin])]
        if self._second is None:
            return verdicts
        new = set(odd)
        held = [one.reading for one in verdicts if one.fate == "held" and one.reading in new]
        sure = self._second(held) if held else ()
        confirmed = {quote for quote in held if quote.coin in sure}
        return [
            Verdict(one.reading, "good") if one.reading in confirmed else one for one in verdicts
        ]

    def _followed(self, quote: Quote, ticks: Sequence[Tick]) -> list[Verdict[Quote]]:
        """The verdicts on one quote and its coin's ticks; none on what is a tick already."""
        # A released tick may not be stored yet.
        past: dict[datetime, Priced] = {t.quote.at: t.quote for t in ticks if t.state == "released"}
        past |= {one.at: one for one in self._history.records(quote.coin, limit=SAMPLE)}
        readings = [tick.quote for tick in ticks if tick.state == "held"]
        if all(tick.quote.at != quote.at for tick in ticks):
            readings.append(quote)
        return follow(list(past.values()), readings)

    def _written(
        self, update: str, verdicts: Iterable[Verdict[Quote]], known: Container[Quote]
    ) -> bool:
        """Enters and settles ticks as the verdicts say; whether there was anything to write."""
        doubts, ends = [], []
        for one in verdicts:
            if one.reading not in known and one.fate != "good":
                doubts.append((one.reading, str(one.doubt)))
            if one.fate == "dropped":
                ends.append((one.reading, "dropped", str(one.evidence)))
            if one.fate == "good" and one.reading in known:
                ends.append((one.reading, "released", one.evidence or FITS))
        if not doubts and not ends:
            return False
        self._held.enter(doubts, update)
        self._held.settle(ends, update)
        return True


def _usual(quote: Quote, latest: Latest) -> bool:
    known = latest.coins.get(quote.coin)
    return known is None or usual(known["price"], quote.price)
