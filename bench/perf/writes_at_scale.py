"""Storing an update of all of CoinGecko once its quotes are many.

    python -m bench.perf.writes_at_scale

Each coin has blocks of its own by then, so that an update writes to as many blocks as there are
coins. Starts a mongod as the system starts it for so many coins, fills it, and prints how long
`Store.record` takes for the quotes of an update, in the parts of an update.
"""

import argparse
import random
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pymongo.database import Database

from bench.harness.metric import Figure, table
from bench.harness.seed_data import SLOT, SOURCE, fill, ids, quotes_of
from bench.harness.services import server
from market.ingest.chunks import PAGES_PER_RUN
from market.sources.coingecko import MAX_PER_PAGE
from market.storage.database import Document, connect, disconnect, prepare
from market.storage.quote_store import QuoteStore

PART = PAGES_PER_RUN * MAX_PER_PAGE
PAUSE = 1.0  # between two updates; MongoDB writes blocks meanwhile


def measure(
    database: Database[Document], coins: Sequence[str], start: datetime, rounds: int
) -> Iterator[float]:
    """Milliseconds in which the quotes of an update are stored, for each of the rounds."""
    store = QuoteStore(database)
    for number in range(rounds):
        at = start + number * SLOT
        quotes = list(quotes_of(coins, at, random.Random(number)))
        begun = time.perf_counter()
        for first in range(0, len(quotes), PART):
            part = quotes[first : first + PART]
            store.record(part, source=SOURCE, recorded_at=at + timedelta(minutes=1))
        yield (time.perf_counter() - begun) * 1e3
        time.sleep(PAUSE)


def main(arguments: Sequence[str] | None = None) -> None:
    """Fills, measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--coins", type=int, default=17_500)
    parser.add_argument("--each", type=int, default=100, help="quotes that each coin has before")
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args(arguments)
    dice = random.Random(1)
    coins = ids("coin", options.coins)
    start = datetime.now(UTC).replace(microsecond=0) - options.rounds * SLOT
    with (
        tempfile.TemporaryDirectory() as home,
        server("mongodb", Path(home), coins=f"top:{options.coins}") as (uri, _),
    ):
        database = connect(uri, "koinx_bench_usd")
        prepare(database)
        fill(database, coins, options.each, start - SLOT, dice)
        dice.shuffle(coins)  # their order by rank is not that of their ids
        found = list(measure(database, coins, start, options.rounds))
        disconnect()
    name = f"quotes of {options.coins:,} coins, each with {options.each}, stored"
    print(table([Figure(name, found, "ms")]))


if __name__ == "__main__":
    main()
