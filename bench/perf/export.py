"""Quotes exported in a second, and the memory that it takes: `python -m bench.perf.export`.

Starts a demo system of its own with one API process, stores quotes of 250 coins, and exports all
of them in each format. Prints quotes and MB a second, the growth of the process's memory, and how
long `/stats` takes meanwhile.
"""

import argparse
import random
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import requests
from pymongo import MongoClient

from bench.harness.system import System, running

COINS = 250
QUARTER = timedelta(minutes=15)
AT_ONCE = 20_000
MB = 1e6
FORMATS = ("csv", "ndjson", "parquet")


def store(system: System, quotes: int) -> None:
    """Stores that many quotes, as many of each coin, a quarter of an hour apart."""
    url = system.server("mongodb")
    with MongoClient[dict[str, Any]](url, directConnection=True) as client:
        collection = client["koinx_demo_usd"]["quotes"]
        found = documents(quotes // COINS)
        while batch := [one for one, _ in zip(found, range(AT_ONCE), strict=False)]:
            collection.insert_many(batch, ordered=False)


def documents(each: int) -> Iterator[dict[str, Any]]:
    """Quotes as they are stored, the same each time."""
    dice, now = random.Random(1), datetime.now(UTC)
    for coin in range(COINS):
        for number in range(each):
            at = now - (each - number) * QUARTER - timedelta(milliseconds=dice.randrange(60_000))
            yield {
                "_id": {"coin": f"measured-{coin:03}", "at": at},
                "price": dice.random() * 1000,
                "market_cap": float(dice.randrange(10**11)),
                "change_24h": dice.gauss(0, 3),
                "volume_24h": float(dice.randrange(10**9)),
                "source": "simulator",
                "recorded_at": at + timedelta(seconds=61),
            }


class Meanwhile:
    """Looks at the API's memory, and times its answers, until it is told to end."""

    def __init__(self, system: System) -> None:
        pid = system.status()["api"]["pid"]
        self._worker = psutil.Process(pid).children()[-1]
        self._url = f"{system.api}/stats?coin=bitcoin"
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self.before = self.peak = self._worker.memory_info().rss
        self.took: list[float] = []

    def __enter__(self) -> "Meanwhile":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(0.05):
            begun = time.perf_counter()
            requests.get(self._url, timeout=30).close()
            self.took.append((time.perf_counter() - begun) * 1e3)
            self.peak = max(self.peak, self._worker.memory_info().rss)


def export(system: System, form: str, coding: str, quotes: int) -> str:
    """Exports everything in one format; what it took, as a line."""
    url = f"{system.api}/v1/quotes/export?format={form}"
    size, begun = 0, time.perf_counter()
    with (
        Meanwhile(system) as meanwhile,
        requests.get(url, headers={"Accept-Encoding": coding}, stream=True, timeout=60) as answer,
    ):
        answer.raise_for_status()
        while chunk := answer.raw.read(1 << 20):
            size += len(chunk)
        seconds = time.perf_counter() - begun
    took = sorted(meanwhile.took)
    return (
        f"{form:<8} {coding:<8} {quotes / seconds:8.0f} quotes/s, {seconds:6.1f} s, "
        f"{size / MB:7.1f} MB, memory {meanwhile.before / MB:.0f} to {meanwhile.peak / MB:.0f} MB, "
        f"/stats median {statistics.median(took):.1f} ms, max {took[-1]:.1f} ms"
    )


def main() -> None:
    """Measures, and prints what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quotes", type=int, default=2_000_000)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as home,
        running(Path(home), "--demo", API_WORKERS="1") as system,
    ):
        store(system, options.quotes)
        for form, coding in [(one, "identity") for one in FORMATS] + [("csv", "gzip")]:
            print(export(system, form, coding, options.quotes), flush=True)


if __name__ == "__main__":
    main()
