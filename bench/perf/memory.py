"""Memory of KoinX's own processes, and how long a start takes: `python -m bench.perf.memory`.

Installs a copy of the project as a user does: several libraries load what the tests need (numpy,
rich, PyYAML) wherever it is there. Starts a demo with 250 coins as often as `--runs` says, by
`./koinx up --demo --detach`, and then uses the last one: updates, each read of the API, the pages
in a browser. Prints for each process its resident set (RSS), and its part of it where a page that
several share is counted once (PSS). The second is what the machine has to give for them, and the
target is one of it. Exits with 1 if a target is missed.
"""

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import requests
from playwright.sync_api import sync_playwright

from bench.harness.browser import ARGUMENTS, CHROMIUM
from bench.harness.system import System
from bench.perf.reads import LAST_100, PAGES
from settings import ROOT
from supervisor.process_identity import sessions

NOT_INSTALLED = (".git", ".venv", ".env", "var", "__pycache__", ".*_cache")
INSTALL_SECONDS = 900
OURS = ("api", "worker", "beat", "dashboard")
MEMORY_MB, START_SECONDS = 450.0, 8.0
COINS = 250
UPDATES = 3
ROUNDS = 4  # of all reads, so that each of the API's workers answers each
READS = (
    *PAGES,
    *LAST_100,
    "/stats?coin={coin}",
    "/v1/correlations?coin=bitcoin&coin=ethereum",
    "/v1/quotes/export?coin={coin}&format=csv",
    "/v1/quotes/export?coin={coin}&format=ndjson",
    "/v1/events?last_event_id=0&seconds=1",
    "/v1/repairs",
    "/v1/repairs/progress",
    "/openapi.json",
    "/docs",
    "/health",
    "/ready",
)
PARQUET = "/v1/quotes/export?coin={coin}&format=parquet"
DASHBOARD = ("/", "/coin/bitcoin", "/servers")
LOOKED_AT_MS = 3000  # a page's reads are done by then, and some intervals over


@dataclass(frozen=True)
class Share:
    """What one process of a session holds; MB."""

    session: str
    pid: int
    rss: float
    pss: float


def shares(system: System) -> Iterator[Share]:
    """What each process of the sessions of `OURS` holds."""
    found, states = sessions(), system.status()
    for name in OURS:
        for pid in found.get(states[name]["pid"], []):
            with suppress(psutil.Error):
                held = psutil.Process(pid).memory_full_info()
                yield Share(name, pid, held.rss / 2**20, held.pss / 2**20)


def use(system: System) -> None:
    """Some updates, all reads of the API, all pages; raises AssertionError if one fails."""
    for _ in range(UPDATES):
        answer = requests.post(f"{system.api}/trigger-update", timeout=30)
        assert answer.status_code == 200, answer.text
    for _ in range(ROUNDS):
        for path in READS:
            read(system, path)
    look(system)


def read(system: System, path: str) -> None:
    """One read of the API; raises AssertionError if it is not a 200."""
    answer = system.get(path.format(coin="bitcoin", last=1))
    assert answer.status_code == 200, f"{path}: {answer.text[:300]}"


def look(system: System) -> None:
    """Opens each page of the dashboard in Chromium."""
    with (
        sync_playwright() as playwright,
        closing(
            playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        ) as browser,
    ):
        context = browser.new_context(base_url=system.dash)
        system.let_in(context)
        for path in DASHBOARD:
            page = context.new_page()
            page.goto(path)
            page.wait_for_timeout(LOOKED_AT_MS)
            page.close()


def start(system: System) -> float:
    """Seconds that `up --demo --detach` takes; raises AssertionError if it fails."""
    begun = time.monotonic()
    up = system.koinx("up", "--demo", "--detach")
    assert up.returncode == 0, up.stdout + up.stderr
    return time.monotonic() - begun


def table(held: Sequence[Share]) -> Iterator[str]:
    """The processes with their memory, and the sums; MB."""
    yield f"{'':<10}{'pid':>8}{'RSS':>8}{'PSS':>8}"
    for name in OURS:
        mine = [one for one in held if one.session == name]
        for one in mine:
            yield f"{name:<10}{one.pid:>8}{one.rss:8.1f}{one.pss:8.1f}"
        if len(mine) > 1:
            yield f"{name:<10}{'':>8}{sum_of(mine)}"
    yield f"{'together':<18}{sum_of(held)}"


def sum_of(held: Sequence[Share]) -> str:
    """The two sums; MB."""
    return f"{sum(one.rss for one in held):8.1f}{sum(one.pss for one in held):8.1f}"


def missed(held: Sequence[Share], starts: Sequence[float]) -> Iterator[str]:
    """The targets that are missed, as text."""
    if (total := sum(one.pss for one in held)) > MEMORY_MB:
        yield f"memory: {total:.0f} MB, allowed are {MEMORY_MB:.0f}"
    if (middle := statistics.median(starts)) > START_SECONDS:
        yield f"start: {middle:.1f} s, allowed are {START_SECONDS:.0f}"


def installed(folder: Path) -> Path:
    """A copy of the project in `folder`, with what a user has beside it and no more."""
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*NOT_INSTALLED))
    user = System(folder / "var")
    user.root = folder
    said = user.koinx("status", timeout=INSTALL_SECONDS)
    assert "installed" in said.stdout, said.stdout + said.stderr
    return folder


def run(folder: Path, runs: int, coins: int) -> list[str]:
    """Measures and prints; the targets that are missed."""
    system = System(folder / "home", COINS=f"top:{coins}", SIMULATOR_COINS=str(coins + 50))
    system.root = installed(folder / "koinx")
    try:
        starts = []
        for number in range(runs):
            if number:
                system.koinx("down")
            starts.append(start(system))
        print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
        print(
            f"{runs} starts, seconds: min {min(starts):.1f}, "
            f"median {statistics.median(starts):.1f}, max {max(starts):.1f}"
        )
        use(system)
        held = list(shares(system))
        print(f"\n{coins} coins, after {UPDATES} updates, all reads and all pages; MB")
        print(*table(held), sep="\n")
        for _ in range(ROUNDS):
            read(system, PARQUET)
        print(f"\nafter an export as Parquet: {sum_of(list(shares(system)))}")
        return list(missed(held, starts))
    finally:
        system.koinx("down")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures, prints, and exits with 1 if a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="starts that are timed")
    parser.add_argument("--coins", type=int, default=COINS)
    options = parser.parse_args(arguments)
    if not CHROMIUM.exists():
        parser.error(f"there is no Chromium at {CHROMIUM}: apt-get install chromium")
    with tempfile.TemporaryDirectory() as folder:
        found = run(Path(folder), options.runs, options.coins)
    for one in found:
        print(f"MISSED {one}")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
