"""How soon Market shows prices, and what a refresh moves: `python -m bench.perf.page_load`.

Starts a demo of 250 coins, and opens Market in Chromium, several times with an empty cache and
with a full one. Prints the milliseconds from the navigation until the table's first prices are
painted, and the bytes of all answers to the page between a finished update and its prices. Exits
with 1 when a median is over 1.5 s, or a refresh over 50 kB. On a loaded machine the best round
says more than the median; the load is printed too.
"""

import argparse
import os
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import requests
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from bench.harness.browser import ARGUMENTS, CHROMIUM
from bench.harness.system import System, running

COINS = 250
PAINTED_MS = 1500.0
REFRESH_BYTES = 50_000
FIRST_ROWS = 5
# After the frame in which the prices stand in the table, hence after it is painted.
WATCH = """(() => {
    const look = () => {
        const prices = document.querySelectorAll(".ag-row [col-id=price]");
        const known = [...prices].filter((price) => /[0-9]/.test(price.textContent));
        if (known.length < %d) requestAnimationFrame(look);
        else requestAnimationFrame(() => setTimeout(() => {
            window.paintedAt = performance.now();
        }));
    };
    look();
})()"""
BEAT = "document.querySelector('#market-beat').textContent"


def painted(context: BrowserContext) -> tuple[float, float]:
    """The milliseconds until a new page of `context` has its first prices, and those of them in
    which its main thread had the processor, which others on the machine hardly change."""
    page = context.new_page()
    processor = context.new_cdp_session(page)
    processor.send("Performance.enable", {"timeDomain": "threadTicks"})
    page.goto("/", wait_until="commit")
    # Asked rather than awaited by a script, which the page's policy would not let run.
    while (at := page.evaluate("window.paintedAt")) is None:
        page.wait_for_timeout(20)
    metrics = processor.send("Performance.getMetrics")["metrics"]
    busy = next(one["value"] for one in metrics if one["name"] == "TaskDuration")
    page.close()
    return float(at), busy * 1000


def opened(browser: Browser, system: System) -> BrowserContext:
    """A context whose cache is empty."""
    context = browser.new_context(base_url=system.dash, viewport={"width": 1440, "height": 900})
    # The session is had without a page, so that the cache stays empty.
    system.let_in(context)
    context.add_init_script(WATCH % FIRST_ROWS)
    return context


def refreshed(page: Page, system: System) -> int:
    """The bytes, headers too, of the answers to an open page until it shows a new update."""
    sizes: list[int] = []
    network = page.context.new_cdp_session(page)
    network.send("Network.enable")
    network.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    with requests.post(f"{system.api}/trigger-update", timeout=60) as answer:
        answer.raise_for_status()
    before, already = page.evaluate(BEAT), sum(sizes)
    while page.evaluate(BEAT) == before:
        page.wait_for_timeout(20)
    page.wait_for_timeout(500)  # its size is told after it is shown
    network.detach()
    return sum(sizes) - already


def told(name: str, values: Sequence[float], unit: str, target: float) -> bool:
    """Print a measurement; whether its median is within the target."""
    median = statistics.median(values)
    print(
        f"{name}: median {median:,.0f} {unit}, best {min(values):,.0f}, worst {max(values):,.0f}, "
        f"{median / target:.2f} of the {target:,.0f} allowed"
    )
    return median <= target


def main() -> int:
    """Measure, print, and say by the exit code whether all targets are met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    count = parser.parse_args().rounds
    settings = {"COINS": f"top:{COINS}", "SIMULATOR_COINS": "300"}
    cold: list[tuple[float, float]] = []
    warm: list[tuple[float, float]] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Path(folder) / "home", "--demo", **settings) as system,
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS) as browser,
    ):
        with opened(browser, system) as context:
            painted(context)  # what runs for the first time is not what is measured
        for _ in range(count):
            with opened(browser, system) as context:
                cold.append(painted(context))
                warm.append(painted(context))
        with opened(browser, system) as context:
            page = context.new_page()
            page.goto("/")
            page.locator(".ag-row").first.wait_for()
            moved = [float(refreshed(page, system)) for _ in range(count)]
    print(f"{COINS} coins, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    met = [told("a refresh moves", moved, "bytes", REFRESH_BYTES)]
    for name, rounds in (("an empty cache", cold), ("a full cache", warm)):
        waited, busy = zip(*rounds, strict=True)
        met.append(told(f"first prices with {name}", waited, "ms", PAINTED_MS))
        print(f"  of which on the processor: median {statistics.median(busy):,.0f} ms")
    return int(not all(met))


if __name__ == "__main__":
    sys.exit(main())
