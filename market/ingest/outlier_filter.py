"""Filters an update's quotes: which to store, which to hold, which to release from quarantine.

The order of writes lets a run die anywhere and be repeated, or run beside another:

1. Quotes that are not credible are entered as held, and held ones are settled, each by a
   conditional update that names this update. From here on the collection says what is to be done.
2. Released quotes are inserted, then accepted ones; the keys make a second insert harmless. Whoever
   finds a released quote inserts it, for the run that released it may have died before.
3. The latest is merged, the update is closed; the ledger names the quotes that carry its id.
4. Quotes that were settled an hour ago are deleted.

So a repeated run finds what the first one decided, and neither loses nor doubles it.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from pymongo.database import Database

from market.ingest.outlier_rules import WINDOW, Priced, Verdict, is_usual, judge
from market.ingest.quarantine import HeldQuote, Quarantine
from market.ledger.fencing import Check, fenced
from market.model.documents import QUARANTINE_STATES
from market.model.quotes import Quote
from market.storage.quote_history import QuoteHistory
from market.storage.quote_store import Latest

Document = dict[str, Any]
# Maps quotes that are about to be held to the ids of coins that a second source prices alike.
SecondSource = Callable[[Sequence[Quote]], Container[str]]
FITS = "it fits what has been stored since"


@dataclass(frozen=True)
class FilterResult:
    """The quotes of an update to store, with those found or put in quarantine."""

    accepted: list[Quote]
    quarantined: list[HeldQuote] = field(default_factory=list)

    @property
    def released(self) -> list[Quote]:
        """Held quotes that proved credible, which are stored too."""
        return [one.quote for one in self.quarantined if one.state == "released"]

    @property
    def by_time(self) -> list[Quote]:
        """All quotes to store, oldest first."""
        if not self.released:
            return self.accepted
        return sorted([*self.released, *self.accepted], key=lambda quote: quote.at)

    def entries(self, update: str) -> list[Document]:
        """Returns the ledger's entries of quotes that this update held, released or dropped."""
        return [entry for one in self.quarantined if (entry := one.entry(update)) is not None]

    def counts(self, update: str, quotes: Sequence[Quote], stored: int) -> dict[str, int]:
        """Counts what became of the fetched quotes, `stored` of which are new, and of held ones."""
        entries = self.entries(update)
        named = {(entry["coin"], entry["at"]) for entry in entries}
        not_credible = sum((quote.coin, quote.at) in named for quote in quotes)
        states = Counter(entry["state"] for entry in entries)
        return {
            "stored": stored,
            "unchanged": len(quotes) - stored - not_credible,
            **{state: states[state] for state in QUARANTINE_STATES},
        }


class OutlierFilter:
    """Holds quotes that are not credible, for one database.

    `second` is asked before a quote is held; without it, only the coin's next price confirms one.
    """

    def __init__(self, database: Database[Document], second: SecondSource | None = None) -> None:
        self._database = database
        self._quarantine = Quarantine(database)
        self._history = QuoteHistory(database)
        self._second = second

    def under(self, check: Check) -> Self:
        """Returns this filter under a lease: each operation calls `check` first."""
        return type(self)(fenced(self._database, check), self._second)

    def apply(self, update: str, quotes: Sequence[Quote], latest: Latest) -> FilterResult:
        """Filters an update's quotes that are not the latest ones; holds and settles quotes.

        Quotes without a move of 50 % cost one read of `held`, which is empty then.
        """
        quarantined = self._quarantine.all()
        held = {one.quote.coin for one in quarantined if one.state == "held"}
        unusual = [one for one in quotes if one.coin in held or not _is_usual(one, latest)]
        if not unusual:
            return FilterResult(list(quotes), quarantined)
        verdicts = self._judge(unusual, quarantined)
        good = {one.reading for one in verdicts if one.outcome == "good"}
        accepted = set(quotes).difference(unusual) | good
        if self._write(update, verdicts, {one.quote for one in quarantined}):
            quarantined = self._quarantine.all()
        return FilterResult([one for one in quotes if one in accepted], quarantined)

    def without_quotes(self) -> FilterResult:
        """Returns the result of an update that ends without quotes of its own."""
        return FilterResult([], self._quarantine.all())

    def purge(self) -> None:
        """Deletes old settled quotes; call it once those that were found are stored."""
        self._quarantine.purge()

    def _judge(
        self, unusual: Sequence[Quote], quarantined: Iterable[HeldQuote]
    ) -> list[Verdict[Quote]]:
        """Returns verdicts on quotes, and on those of their coins that wait for a next price."""
        known: dict[str, list[HeldQuote]] = defaultdict(list)
        for one in quarantined:
            known[one.quote.coin].append(one)
        verdicts = [one for quote in unusual for one in self._judge_coin(quote, known[quote.coin])]
        if self._second is None:
            return verdicts
        new = set(unusual)
        held = [one.reading for one in verdicts if one.outcome == "held" and one.reading in new]
        alike = self._second(held) if held else ()
        confirmed = {quote for quote in held if quote.coin in alike}
        return [
            Verdict(one.reading, "good") if one.reading in confirmed else one for one in verdicts
        ]

    def _judge_coin(self, quote: Quote, quarantined: Sequence[HeldQuote]) -> list[Verdict[Quote]]:
        """Returns the verdicts on one quote, unless it is quarantined, and its coin's held ones."""
        # A released quote may not be stored yet.
        past: dict[datetime, Priced] = {
            one.quote.at: one.quote for one in quarantined if one.state == "released"
        }
        past |= {one.at: one for one in self._history.records(quote.coin, limit=WINDOW)}
        readings = [one.quote for one in quarantined if one.state == "held"]
        if all(one.quote.at != quote.at for one in quarantined):
            readings.append(quote)
        return judge(list(past.values()), readings)

    def _write(
        self, update: str, verdicts: Iterable[Verdict[Quote]], known: Container[Quote]
    ) -> bool:
        """Holds and settles quotes as the verdicts say; returns whether there was any change."""
        doubts, settled = [], []
        for one in verdicts:
            if one.reading not in known and one.outcome != "good":
                doubts.append((one.reading, str(one.doubt)))
            if one.outcome == "dropped":
                settled.append((one.reading, "dropped", str(one.evidence)))
            if one.outcome == "good" and one.reading in known:
                settled.append((one.reading, "released", one.evidence or FITS))
        if not doubts and not settled:
            return False
        self._quarantine.add(doubts, update)
        self._quarantine.settle(settled, update)
        return True


def _is_usual(quote: Quote, latest: Latest) -> bool:
    known = latest.coins.get(quote.coin)
    return known is None or is_usual(known["price"], quote.price)
