"""How long each read of the API takes on a large collection: `python -m bench.perf.reads`.

Starts a mongod of its own, stores 1,000,000 made-up quotes of 1,000 coins, and asks the API's
views in this process, without HTTP and without gzip. Exits with 1 if a median is over its target.
"""

import argparse
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from flask.testing import FlaskClient
from pydantic import SecretStr

from api.app import create_app
from bench.chaos.report import percentile
from bench.harness.seed_data import SLOT, fill, ids, update
from bench.harness.services import server
from market.storage.database import connect, disconnect, prepare
from settings import Settings

PAGE_MS, NEWEST_MS, COLD_MS = 50.0, 10.0, 1000.0
MONTH, YEAR = 30 * 96, 365 * 96  # quotes of 15 minutes
DRIFT = 0.2  # how far a year may be from a month
ROUNDS = 15
EARLY_UPDATES = 20  # so that the ledger has some to show
LAST_100 = ("/deviation?coin={coin}", "/v1/coins/{coin}/statistics")
COIN_PAGES = (
    "/v1/coins",
    "/v1/coins?page_size=250",
    "/v1/coins?page_size=250&page={last}",
    "/v1/coins?page_size=250&sort=-change_24h",
    "/v1/coins?search=coin-00",
)
PAGES = (
    *COIN_PAGES,
    "/v1/coins/{coin}",
    "/v1/coins/{coin}/quotes",
    "/v1/coins/{coin}/quotes?limit=1000",
    "/v1/coins/{coin}/quotes?include=repaired",
    *(f"/v1/coins/{{coin}}/candles?interval={name}" for name in ("15m", "1h", "4h", "1d")),
    "/v1/coins/{coin}/candles?interval=15m&limit=500&include=repaired",
    "/v1/updates",
)


class Reads:
    """Asks one API for paths, with random coins in them, and keeps what was too slow."""

    def __init__(self, settings: Settings, coins: Sequence[str], dice: random.Random) -> None:
        self._settings, self._coins, self._dice = settings, coins, dice
        self._client = self.fresh()
        self.slow: list[str] = []

    def fresh(self) -> FlaskClient:
        """A client of an API that knows nothing yet."""
        return create_app(self._settings).test_client()

    def milliseconds(
        self, path: str, coins: Sequence[str] = (), client: FlaskClient | None = None
    ) -> float:
        """How long one answer takes; raises AssertionError if it is not a 200."""
        filled = path.format(
            coin=self._dice.choice(coins or self._coins), last=-(-len(self._coins) // 250)
        )
        begun = time.perf_counter()
        answer = (client or self._client).get(filled)
        spent = (time.perf_counter() - begun) * 1e3
        assert answer.status_code == 200, f"{filled}: {answer.text[:300]}"
        return spent

    def tell(self, name: str, found: Sequence[float], target: float) -> None:
        """Prints one line of the table."""
        median = statistics.median(found)
        if median >= target:
            self.slow.append(f"{name}: {median:.1f} ms, allowed are {target:.0f}")
        print(f"{median:9.1f}{percentile(sorted(found), 99):9.1f}{target:9.0f}  {name}", flush=True)


def read_all(reads: Reads, requests: int, news: Callable[[], None]) -> None:
    """Every page when it is cold, when it is warm, and when each of its coins has a newer quote."""
    page = "/v1/coins?page_size=250"
    cold = [reads.milliseconds(page, client=reads.fresh()) for _ in range(min(5, requests))]
    reads.tell(f"{page}, the first in a process", cold, COLD_MS)
    for path in (*PAGES, *LAST_100):
        target = NEWEST_MS if path in LAST_100 else PAGE_MS
        reads.milliseconds(path)
        reads.tell(path, [reads.milliseconds(path) for _ in range(requests)], target)
    for path in COIN_PAGES:
        found = []
        for _ in range(min(ROUNDS, requests)):
            news()
            found.append(reads.milliseconds(path))
        reads.tell(f"{path}, the first after an update", found, PAGE_MS)


def compare(
    reads: Reads, path: str, month: Sequence[str], year: Sequence[str], requests: int
) -> list[float]:
    """How many times as long the read takes of coins with a year of quotes, round by round."""
    ratios = []
    for _ in range(ROUNDS):
        pairs = [
            (reads.milliseconds(path, year), reads.milliseconds(path, month))
            for _ in range(requests)
        ]
        long, short = (statistics.median(column) for column in zip(*pairs, strict=True))
        ratios.append(long / short)
    return sorted(ratios)


def run(uri: str, options: argparse.Namespace) -> list[str]:
    """Fills the database behind `uri` and measures; what does not hold."""
    dice = random.Random(options.seed)
    nowhere = SecretStr("nats://127.0.0.1:9")  # no read asks NATS or Redis
    settings = Settings(
        market="demo",
        mongodb_uri=SecretStr(uri),
        nats_url=nowhere,
        redis_url=SecretStr("redis://127.0.0.1:9"),
    )
    database = connect(uri, settings.database)
    prepare(database)
    if options.cache_mb is not None:
        cache = f"cache_size={options.cache_mb}MB"
        database.client.admin.command({"setParameter": 1, "wiredTigerEngineRuntimeConfig": cache})
    coins = ids("coin", options.coins)
    begun = time.monotonic()
    now = datetime.now(UTC).replace(microsecond=0)
    updates = EARLY_UPDATES + len(COIN_PAGES) * ROUNDS
    times = iter([now - number * SLOT for number in range(updates)][::-1])
    fill(database, coins, max(1, options.quotes // options.coins), now - updates * SLOT, dice)

    def news() -> None:
        update(database, coins, next(times), dice)

    for _ in range(EARLY_UPDATES):
        news()
    count = database["quotes"].estimated_document_count()
    print(f"{count} quotes of {len(coins)} coins stored in {time.monotonic() - begun:.0f} s")
    load, cores = os.getloadavg()[0], os.cpu_count()
    print(f"{cores} cores, load {load:.1f}; each line over {options.requests} requests")
    print(f"{'median':>9}{'99 %':>9}{'target':>9}  ms")
    reads = Reads(settings, coins, dice)
    read_all(reads, options.requests, news)
    month, year = ids("month", options.old_coins + 1)[1:], ids("year", options.old_coins + 1)[1:]
    fill(database, month, MONTH, now, dice)
    fill(database, year, YEAR, now, dice)
    for path in LAST_100:
        ratios = compare(reads, path, month, year, options.requests)
        middle = statistics.median(ratios)
        print(
            f"{path}: with a year of quotes {middle:.2f} times a month's ({ratios[0]:.2f} to "
            f"{ratios[-1]:.2f} in {ROUNDS} rounds of {options.requests} requests)"
        )
        if abs(middle - 1) > DRIFT:
            reads.slow.append(f"{path}: a year is {middle:.2f} times a month")
    return reads.slow


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures, prints, and exits with 1 if a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--coins", type=int, default=1000)
    parser.add_argument("--quotes", type=int, default=1_000_000, help="of all coins together")
    parser.add_argument("--requests", type=int, default=200, help="for each line")
    parser.add_argument("--old-coins", type=int, default=20, help="with a month, and with a year")
    parser.add_argument("--cache-mb", type=int, help="MongoDB's cache; else the embedded one's")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as home, server("mongodb", Path(home)) as (uri, _):
        slow = run(uri, options)
        disconnect()
    for one in slow:
        print(f"SLOW {one}")
    sys.exit(bool(slow))


if __name__ == "__main__":
    main()
