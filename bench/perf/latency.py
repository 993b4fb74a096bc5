"""Milliseconds from an event on NATS to its price at /stats: `python -m bench.perf.latency`.

Starts a system of its own for each number of coins (`--coins 3,250,5000,17500`) beside a source
whose pages are made before they are asked for, and prints milliseconds over 30 events until the
last coin's new price can be read, with the ledger's own times of the hops. Beside them stands how
long the source alone takes to answer the same pages to somebody who does nothing with them. Exits
with 1 if a median is not what it must be.
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import nats
import requests

from bench.harness.services import free_port, wait_until
from bench.harness.system import System, running
from market.sources.fetch import Query, page_queries
from market.sources.http import CONNECTIONS
from settings import ROOT, parse_coins

TARGETS_MS = {250: 25.0, 5000: 250.0, 17500: 1200.0}  # of the median, by the number of coins
BEYOND_THE_SOURCE = 17500  # from here on the source's own time does not count
HOPS = ("published", "streamed", "received", "started", "claimed", "fetched", "stored", "merged")


class Source:
    """A prepared source, asked for the pages of an update."""

    def __init__(self, url: str, coins: int) -> None:
        self._url = url
        self._queries = page_queries(parse_coins(f"top:{coins}"))

    def next(self) -> dict[str, Any]:
        """Has the next pages of all coins made; the row that an update comes to last."""
        row: dict[str, Any] = requests.post(f"{self._url}/next", timeout=60).json()
        return row

    def alone(self, rounds: int) -> float:
        """Milliseconds in which it answers all pages, read and thrown away: the median."""
        found = []
        with requests.Session() as session, ThreadPoolExecutor(CONNECTIONS) as threads:
            for _ in range(rounds):
                begun = time.perf_counter()
                list(threads.map(lambda query: self._get(session, query).content, self._queries))
                found.append((time.perf_counter() - begun) * 1e3)
        return statistics.median(found)

    def _get(self, session: requests.Session, query: Query) -> requests.Response:
        url = f"{self._url}/api/v3/coins/markets"
        return session.get(url, params={"vs_currency": "usd", **query}, timeout=60)


@contextmanager
def preparing(coins: int) -> Iterator[str]:
    """The address of a prepared source in a process of its own."""
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "bench.perf.static_source",
        "--coins",
        str(coins),
        "--port",
        str(port),
    ]
    # In a session of its own, as each part of the system is: the kernel may share its time so.
    process = subprocess.Popen(command, cwd=ROOT, start_new_session=True)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: _answers(url), "the source", 60)
        yield url
    finally:
        process.terminate()
        process.wait(20)


def _answers(url: str) -> bool:
    with suppress(requests.RequestException):
        return requests.post(f"{url}/next", timeout=60).ok
    return False


async def measure(system: System, source: Source, rounds: int) -> list[float]:
    """Milliseconds from publishing to reading the last row's new price, for each round."""
    client = await nats.connect(system.server("nats"))
    found = []
    with closing(HTTPConnection(urlsplit(system.api).netloc)) as connection:
        for _ in range(rounds):
            await asyncio.sleep(1)  # a row stands so long, and is another one then
            row = source.next()
            begun = time.perf_counter()
            await client.publish("crypto.update", b'{"trigger":"update"}')
            await client.flush()
            while _read(connection, row["id"]) != row["current_price"]:
                # Reads without a pause would take the processor from what they wait for.
                await asyncio.sleep(0.001)
            found.append((time.perf_counter() - begun) * 1e3)
    await client.close()
    return found


def _read(connection: HTTPConnection, coin: str) -> float | None:
    # `requests` takes four times as long for it, of the same two processors.
    connection.request("GET", f"/stats?coin={coin}")
    price: float | None = json.loads(connection.getresponse().read()).get("price")
    return price


def _control(system: System, name: str) -> None:
    command = [sys.executable, "-m", "celery", "-A", "tasks", "control", name]
    subprocess.run(command, cwd=ROOT, env=system.bare, check=True, stdout=subprocess.DEVNULL)


def updates(system: System, rounds: int) -> list[dict[str, Any]]:
    """The last updates that ended well, as the API gives them."""
    found = system.get(f"/v1/updates?page_size={rounds}").json()
    return [one for one in found if one["trigger"] == "event" and one["state"] == "done"]


def hops(found: Sequence[dict[str, Any]]) -> dict[str, float]:
    """The median milliseconds of each hop, as the ledger has them."""
    times = [
        [datetime.fromisoformat(one["hops"][hop]).timestamp() * 1e3 for hop in HOPS[1:]]
        for one in found
    ]
    return {
        hop: statistics.median(one[i + 1] - one[i] for one in times)
        for i, hop in enumerate(HOPS[2:])
    }


def run(coins: int, rounds: int) -> bool:
    """Measures one number of coins, and prints what was found; whether it is what it must be."""
    with (
        tempfile.TemporaryDirectory() as home,
        preparing(coins) as url,
        running(Path(home), COINS=f"top:{coins}", COINGECKO_API_URL=f"{url}/api/v3") as system,
    ):
        # The source has no history: what is wanted of it would be asked for all the while.
        _control(system, "pause_repairs")
        source = Source(url, coins)
        asyncio.run(measure(system, source, 3))  # connections, caches
        found = sorted(asyncio.run(measure(system, source, rounds)))
        alone = source.alone(rounds)
        median = statistics.median(found)
        print(
            f"{coins} coins, {rounds} events, ms: min {found[0]:.1f}, median {median:.1f}, max "
            f"{found[-1]:.1f}; the source alone {alone:.1f}, beyond it {median - alone:.1f}"
        )
        found_in_ledger = updates(system, rounds)
        stored = statistics.median(one["counts"]["stored"] for one in found_in_ledger)
        print(f"  quotes stored {stored:6.0f}")
        for hop, spent in hops(found_in_ledger).items():
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
