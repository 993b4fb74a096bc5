"""Quotes stored a second, beside a plain `insert_many` of the same documents:
`python -m bench.perf.writes`.

Starts a mongod of its own. In each round the same quotes are stored by `Store.record`, by all that
an update does to store them (sift, record, describe, merge the latest), and by one `insert_many`
into a second collection of the same kind, in turn. Exits with 1 if `Store.record` stores less than
80 % of what `insert_many` does, by the median of the rounds.
"""

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pymongo.database import Database

from bench.harness.seed_data import SLOT, ids, quotes_of
from bench.harness.services import server
from market.ingest.outlier_filter import OutlierFilter
from market.ingest.store_quotes import store_quotes
from market.ledger.ledger import UpdateClaim
from market.model.quotes import Quote
from market.storage.database import QUOTES, Document, connect, disconnect, prepare
from market.storage.quote_store import QuoteStore, to_document

TARGET = 0.8
SOURCE = "simulator"
CLAIM = UpdateClaim("bench", 1, 1, None, datetime(2026, 1, 1, tzinfo=UTC))


@dataclass(frozen=True)
class Ways:
    """The three ways to store quotes, each with documents of its own."""

    ours: Database[Document]
    whole: Database[Document]
    plain: Database[Document]

    def each(self, quotes: Sequence[Quote], now: datetime) -> dict[str, Callable[[], object]]:
        """What is to be measured, by its name; whatever else is needed is done before."""
        documents = [to_document(quote, SOURCE, now) for quote in quotes]
        return {
            "insert_many": lambda: self.plain[QUOTES].insert_many(documents, ordered=False),
            "record": lambda: QuoteStore(self.ours).record(quotes, source=SOURCE, recorded_at=now),
            "all": lambda: _store(self.whole, quotes),
        }


def _store(database: Database[Document], quotes: Sequence[Quote]) -> None:
    """All that an update does with what it has fetched, but for its ledger."""
    store = QuoteStore(database)
    known = store.latest(), store.away()
    store_quotes(
        "a", quotes, *known, store=store, outlier_filter=OutlierFilter(database), source=SOURCE
    )


def measure(ways: Ways, coins: int, rounds: int) -> dict[str, list[float]]:
    """Seconds of each way, round by round; the first round, in which all is new, is left away."""
    found: dict[str, list[float]] = {}
    start = datetime.now(UTC).replace(microsecond=0) - rounds * SLOT
    for number in range(rounds + 1):
        at = start + number * SLOT
        # The same dice each time: a price stands still, so that none is held.
        quotes = list(quotes_of(ids("coin", coins), at, random.Random(1)))
        each = list(ways.each(quotes, at + timedelta(minutes=1)).items())
        for name, store in each[number % 3 :] + each[: number % 3]:
            begun = time.perf_counter()
            store()
            if number:
                found.setdefault(name, []).append(time.perf_counter() - begun)
    return found


def ratios(found: dict[str, list[float]], name: str) -> list[float]:
    """How much a way stores in the time of `insert_many`, round by round, the least first."""
    pairs = zip(found["insert_many"], found[name], strict=True)
    return sorted(plain / ours for plain, ours in pairs)


def run(uri: str, coins: int, rounds: int) -> bool:
    """Measures and prints; whether the target is met."""
    connected = connect(uri, "koinx_bench_usd")
    databases = [connected.client[f"koinx_{name}_usd"] for name in ("ours", "whole", "plain")]
    for database in databases:
        prepare(database)
    found = measure(Ways(*databases), coins, rounds)
    print(f"{coins} quotes, {rounds} rounds; beside insert_many: median (least to most)")
    for name, seconds in found.items():
        shares = ratios(found, name)
        print(
            f"{name:>12} {coins / statistics.median(seconds):9,.0f} quotes/s "
            f"{statistics.median(shares):5.2f} ({shares[0]:.2f} to {shares[-1]:.2f})"
        )
    return statistics.median(ratios(found, "record")) >= TARGET


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures, prints, and exits with 1 if the target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--coins", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as home, server("mongodb", Path(home)) as (uri, _):
        is_met = run(uri, options.coins, options.rounds)
        disconnect()
    sys.exit(not is_met)


if __name__ == "__main__":
    main()
