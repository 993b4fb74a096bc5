"""Answers a second beside a bare Granian with the same bytes: `python -m bench.perf.throughput`.

Starts a demo system of its own and, for each answer, a Granian with the very options of the API's.
The two are asked by turns, on 32 connections. Exits with 1 if a figure is not what it must be.
"""

import argparse
import http.client
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from urllib.parse import quote, urlsplit

import psutil
import requests

from bench.harness.metric import Figure, table
from bench.harness.services import free_port, wait_until
from bench.harness.system import System, running
from bench.perf import baseline_wsgi
from bench.perf.wrk import Load, load
from settings import ROOT

ENDPOINTS = (
    ("/stats?coin=bitcoin", 0.8),
    ("/deviation?coin=bitcoin", 0.8),
    ("/v1/coins", None),
    ("/v1/coins/bitcoin", None),
    ("/v1/coins/bitcoin/statistics", None),
    ("/v1/correlations?coin=bitcoin&coin=ethereum", None),
)
WORST_MS = 10.0
RANDOM_COINS = 1000
MANY_COINS = 5000
UNDER_UPDATES = 0.5
STALE_SECONDS = 1.0
LOOKS = 10  # for an older price, after each update


class Bench:
    """One system, and how it is asked."""

    def __init__(self, system: System, folder: Path, options: argparse.Namespace) -> None:
        self._system, self._folder = system, folder
        self._seconds, self._rounds = options.seconds, options.rounds

    def beside(
        self,
        path: str,
        *,
        headers: Sequence[str] = (),
        paths: Path | None = None,
        around: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> tuple[list[float], list[Load]]:
        """The ratios to a bare server by rounds, and our own loads; those go on within `around`."""
        ratios, ours = [], []
        with self._bare(path, headers) as url:
            for target in (url, self._system.api + path):
                load(target, 1, headers=headers, paths=paths)
            for _ in range(self._rounds):
                other = load(url, self._seconds, headers=headers, paths=paths)
                with around():
                    one = load(self._system.api + path, self._seconds, headers=headers, paths=paths)
                ours.append(one)
                ratios.append(one.per_second / other.per_second)
        return ratios, ours

    def etag(self, path: str) -> str:
        """The tag of an answer."""
        return requests.get(self._system.api + path, timeout=10).headers["ETag"]

    @contextmanager
    def _bare(self, path: str, headers: Sequence[str]) -> Iterator[str]:
        """A bare server that gives the API's present answer to `path`."""
        answer = self._folder / "answer.json"
        asked = dict(header.split(": ", 1) for header in headers)
        # Neither redirects nor decoding: the bytes as they come.
        link = http.client.HTTPConnection(urlsplit(self._system.api).netloc, timeout=10)
        link.request("GET", path, headers=asked)
        given = link.getresponse()
        baseline_wsgi.write(answer, given.getheaders(), given.read())
        link.close()
        port = free_port()
        command = psutil.Process(self._system.status()["api"]["pid"]).cmdline()
        command[command.index("--port") + 1] = str(port)
        command[-1] = "bench.perf.baseline_wsgi:app"
        environment = {**os.environ, baseline_wsgi.VARIABLE: str(answer)}
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        url = f"http://127.0.0.1:{port}"
        try:
            wait_until(lambda: _answers(url), "the bare server")
            yield url
        finally:
            process.terminate()
            process.wait(20)


def warm(bench: Bench) -> Iterator[Figure]:
    """Each endpoint while nothing changes, then answers that a client has already."""
    for path, target in ENDPOINTS:
        ratios, loads = bench.beside(path)
        worst = WORST_MS if target else None
        yield Figure(f"`{path}`, beside bare", ratios, at_least=target)
        yield Figure(f"`{path}`, a second", [one.per_second for one in loads])
        yield Figure(f"`{path}`, 99 %", [one.worst_ms for one in loads], "ms", at_most=worst)
    path = ENDPOINTS[0][0]
    ratios, _ = bench.beside(path, headers=[f"If-None-Match: {bench.etag(path)}"])
    yield Figure(f"`{path}`, 304, beside bare", ratios)


def many(bench: Bench, system: System, folder: Path) -> Iterator[Figure]:
    """1,000 coins at random; then the same endpoints while updates run without pause."""
    ids = [
        one["id"]
        for page in range(1, RANDOM_COINS // 250 + 1)
        for one in system.get(f"/v1/coins?page_size=250&page={page}").json()
    ]
    paths = folder / "paths"
    paths.write_text("".join(f"/stats?coin={quote(coin)}\n" for coin in ids))
    ratios, _ = bench.beside("/stats?coin=bitcoin", paths=paths)
    yield Figure(f"`/stats` of {len(ids)} coins at random, beside bare", ratios, at_least=0.6)
    updates = Updates(system)
    for path, _ in ENDPOINTS[:2]:
        ratios, _ = bench.beside(path, around=updates.going)
        yield Figure(
            f"`{path}` while updates of {MANY_COINS} coins run, beside bare at rest",
            ratios,
            at_least=UNDER_UPDATES,
        )
    yield Figure("an update under that load", updates.lasted, "s")
    yield Figure(
        "the last older price after an update's end", updates.stale, "s", at_most=STALE_SECONDS
    )


class Updates:
    """Updates one after the other, each with a price of its own that is then looked for."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._simulator = system.market()
        self._price = 70_000
        self.lasted: list[float] = []
        self.stale: list[float] = []

    @contextmanager
    def going(self) -> Iterator[None]:
        """Updates run all the time, until the last one has ended."""
        over = threading.Event()

        def go() -> None:
            while not over.is_set():
                self._one()

        with ThreadPoolExecutor(1) as thread:
            running = thread.submit(go)
            try:
                yield
            finally:
                over.set()
                running.result()

    def _one(self) -> None:
        self._price += 1
        self._simulator.fault("price", coin="bitcoin", value=self._price)
        begun = time.monotonic()
        requests.post(f"{self._system.api}/trigger-update", timeout=60).raise_for_status()
        ended = time.monotonic()
        self.lasted.append(ended - begun)
        stale = 0.0
        # Each on a connection of its own, so that both processes are asked.
        for _ in range(LOOKS):
            asked = time.monotonic()
            if self._system.get("/stats?coin=bitcoin").json()["price"] != self._price:
                stale = asked - ended
        self.stale.append(stale)


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=1).ok
    except requests.ConnectionError:
        return False


def figures(options: argparse.Namespace) -> Iterator[Figure]:
    """All of them, one after the other."""
    with tempfile.TemporaryDirectory() as home:
        with running(Path(home) / "few", "--demo", COINS="top:250", SIMULATOR_COINS="300") as few:
            yield from warm(Bench(few, Path(home), options))
        coins = {"COINS": f"top:{MANY_COINS}", "SIMULATOR_COINS": str(MANY_COINS + 50)}
        with running(Path(home) / "many", "--demo", **coins) as system:
            yield from many(Bench(system, Path(home), options), system, Path(home))


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=int, default=3, help="of each load")
    found = []
    for one in figures(parser.parse_args(arguments)):
        print(f"{one.name}: {one.median:.2f} {one.unit}", file=sys.stderr, flush=True)
        found.append(one)
    print(table(found))
    sys.exit(not all(one.good for one in found))


if __name__ == "__main__":
    main()
