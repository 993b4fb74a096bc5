"""Milliseconds from an event on NATS to its price at /stats: `python -m bench.event_to_readable`.

Starts a demo system of its own for each number of coins (`--coins 3,250,5000,17500`), and prints
milliseconds over 30 events until the last coin's new price can be read, with the ledger's own
times of the hops. Beside them stands how long the source alone takes to answer the same pages to
somebody who does nothing with them: what is beyond that is ours. Exits with 1 if a median is not
what it must be.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import nats
import requests

from market.fetching import Query, pages
from market.http_source import CONNECTIONS
from settings import parse_coins
from tests.support import SimulatorControl
from tests.system import System, running

TARGETS_MS = {250: 25.0, 5000: 250.0, 17500: 1200.0}  # of the median, by the number of coins
BEYOND_THE_SOURCE = 17500  # from here on the source's own time does not count
HOPS = ("published", "streamed", "received", "started", "claimed", "fetched", "stored", "merged")
STEP = 0.0001  # by which each round's price differs: under 50 % in sum, for else it is held


class Source:
    """The simulator, asked for the pages of an update."""

    def __init__(self, url: str, coins: int) -> None:
        self.control = SimulatorControl(url)
        self._queries = pages(parse_coins(f"top:{coins}"))

    def last_row(self) -> dict[str, Any]:
        """The row of the coin that an update comes to last."""
        with requests.Session() as session:
            rows = [row for query in self._queries[-2:] for row in self._page(session, query)]
        return dict(rows[-1])

    def alone(self, rounds: int) -> float:
        """Milliseconds in which it answers all pages, read and thrown away: the median."""
        found = []
        with requests.Session() as session, ThreadPoolExecutor(CONNECTIONS) as threads:
            for _ in range(rounds):
                begun = time.perf_counter()
                list(threads.map(lambda query: self._get(session, query).content, self._queries))
                found.append((time.perf_counter() - begun) * 1e3)
                time.sleep(1)  # a simulated row stands so long, and is made anew then
        return statistics.median(found)

    def _page(self, session: requests.Session, query: Query) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self._get(session, query).json()
        return rows

    def _get(self, session: requests.Session, query: Query) -> requests.Response:
        url = f"{self.control.url}/api/v3/coins/markets"
        return session.get(url, params={"vs_currency": "usd", **query}, timeout=60)


async def measure(system: System, source: Source, row: dict[str, Any], rounds: int) -> list[float]:
    """Milliseconds from publishing to reading the row's new price, for each round."""
    client = await nats.connect(system.status()["nats"]["url"])
    found = []
    with requests.Session() as session:
        for number in range(rounds):
            price = row["current_price"] * (1 + (number + 1) * STEP)
            source.control.fault("price", coin=row["id"], value=price)
            await asyncio.sleep(1)  # as in `alone`
            begun = time.perf_counter()
            await client.publish("crypto.update", b'{"trigger":"update"}')
            await client.flush()
            while _read(session, system, row["id"]) != price:
                # Reads without a pause would take the processor from what they wait for.
                await asyncio.sleep(0.002)
            found.append((time.perf_counter() - begun) * 1e3)
    await client.close()
    return found


def _read(session: requests.Session, system: System, coin: str) -> float | None:
    price: float | None = session.get(f"{system.api}/stats?coin={coin}").json().get("price")
    return price


def hops(system: System, rounds: int) -> dict[str, float]:
    """The median milliseconds of each hop, as the ledger has them."""
    updates = system.get(f"/v1/updates?page_size={rounds}").json()
    times = [
        [datetime.fromisoformat(update["hops"][hop]).timestamp() * 1e3 for hop in HOPS[1:]]
        for update in updates
        if update["trigger"] == "event" and update["state"] == "done"
    ]
    return {
        hop: statistics.median(one[i + 1] - one[i] for one in times)
        for i, hop in enumerate(HOPS[2:])
    }


def run(coins: int, rounds: int) -> bool:
    """Measures one number of coins, and prints what was found; whether it is what it must be."""
    with (
        tempfile.TemporaryDirectory() as home,
        running(Path(home), "--demo", COINS=f"top:{coins}", SIMULATOR_COINS=str(coins)) as system,
    ):
        source = Source(system.status()["market"]["url"], coins)
        row = source.last_row()
        warm = {**row, "current_price": row["current_price"] * 1.1}
        asyncio.run(measure(system, source, warm, 3))  # connections, caches
        found = sorted(asyncio.run(measure(system, source, row, rounds)))
        alone = source.alone(rounds)
        median = statistics.median(found)
        print(
            f"{coins} coins, {rounds} events, ms: min {found[0]:.1f}, median {median:.1f}, max "
            f"{found[-1]:.1f}; the source alone {alone:.1f}, beyond it {median - alone:.1f}"
        )
        for hop, spent in hops(system, rounds).items():
            print(f"  until {hop:<9} {spent:6.1f}", flush=True)
    counted = median - alone if coins >= BEYOND_THE_SOURCE else median
    return counted <= TARGETS_MS.get(coins, counted)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures each number of coins."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--coins", default="250", help="numbers, with commas between")
    parser.add_argument("--rounds", type=int, default=30)
    options = parser.parse_args(arguments)
    good = [run(int(coins), options.rounds) for coins in options.coins.split(",")]
    sys.exit(not all(good))


if __name__ == "__main__":
    main()
