"""How soon the Servers page shows what became of a process.

    python -m bench.perf.status_lag --rounds 20

Starts a demo system of its own and opens the page in Chromium. Stops, starts, restarts and kills
the worker, the API and beat in turn, and measures from the moment that something is true to the
moment that the open page says so: from a press to its answer, from the end of the process to
"stopped" (or, killed, to anything but "ready"), from its pid to "starting", from the supervisor's
word that it is ready to "ready". Prints median and worst in milliseconds. Exits with 1 when a
worst is over 2 s.
"""

import argparse
import os
import signal
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from math import inf
from pathlib import Path
from statistics import median

import psutil
from playwright.sync_api import Page, expect, sync_playwright

from bench.harness.browser import ARGUMENTS, CHROMIUM
from bench.harness.services import wait_until
from bench.harness.system import System, running
from dash_ui.pages.servers.actions import PROGRESS
from supervisor.control import Detail, Processes

NAMES = ("worker", "api", "beat")
BOUND_MS = 2_000
PATIENCE = 90.0
READY = "● running, ready"
Shown = Callable[[str], bool]
IS_READY: Shown = READY.__eq__
NOT_READY: Shown = READY.__ne__
STOPPED: Shown = "○ stopped".__eq__
STARTED: Shown = ("◌ starting", READY).__contains__
# What the page says, and when that is: kept by the page itself, so that looking costs nothing.
KEEP = """
names => {
    window.seen = Object.fromEntries(names.map(name => [name, []]));
    for (const name of names) {
        const state = document.getElementById(`servers-card-${name}-state`);
        const note = () => window.seen[name].push([Date.now(), state.textContent]);
        new MutationObserver(note).observe(
            state, {childList: true, characterData: true, subtree: true});
        note();
    }
    const said = document.getElementById("servers-said");
    window.seen.said = [];
    new MutationObserver(() => window.seen.said.push([Date.now(), said.textContent])).observe(
        said, {childList: true, characterData: true, subtree: true});
}
"""


class Seen:
    """An open page beside the processes that it shows; milliseconds by what was waited for."""

    def __init__(self, system: System, page: Page) -> None:
        self.lags: dict[str, list[float]] = defaultdict(list)
        self._processes = Processes(system.home)
        self._page = page
        page.goto(system.link("/servers"))
        for name in NAMES:
            expect(page.locator(f"#servers-card-{name}-state")).to_have_text(READY)
        page.evaluate(KEEP, NAMES)
        self._now = _now()

    def round(self, name: str) -> None:
        """Each verb once, then a kill."""
        pid = self._pid(name)
        self._press("Stop", name)
        self._when(lambda: not _runs(pid))
        self._back("start", name, pid, self._lag(f"stop {name}", name, STOPPED), start=True)
        pid = self._pid(name)
        self._press("Restart", name)
        self._when(lambda: not _runs(pid))
        self._back("restart", name, pid, self._lag(f"restart {name}: ended", name, NOT_READY))
        pid = self._pid(name)
        os.kill(pid, signal.SIGKILL)
        self._now = _now()
        self._back("kill", name, pid, self._lag(f"kill {name}", name, NOT_READY))

    def _back(
        self, verb: str, name: str, before: int, after: float, *, start: bool = False
    ) -> None:
        """Another process is there, then it is ready, and the page says both, `after` the end."""
        if start:
            self._press("Start", name)
        self._when(lambda: self._detail(name)["pid"] not in (None, before))
        self._lag(f"{verb} {name}: started", name, STARTED, after)
        self._when(lambda: self._detail(name)["ready"])
        self._lag(f"{verb} {name}: ready", name, IS_READY)

    def _press(self, verb: str, name: str) -> None:
        self._now = _now()
        self._page.get_by_role("button", name=f"{verb} {name}", exact=True).click()
        asked = f"{PROGRESS[verb.lower()]} {name} …"
        self._lag(f"{verb.lower()} {name}: answer", "said", lambda said: asked in said)

    def _when(self, condition: Callable[[], bool]) -> None:
        """From now on it is true."""
        wait_until(condition, "it to happen", PATIENCE)
        self._now = _now()

    def _lag(self, what: str, key: str, shown: Shown, after: float = 0) -> float:
        """Notes how long the page took to say what has become true; since when it said so.

        What it began to say before `after` is of another life.
        """

        def look() -> float | None:
            kept: list[tuple[float, str]] = self._page.evaluate("key => window.seen[key]", key)
            ends = [at for at, _ in kept[1:]] + [inf]
            return next(
                (
                    at
                    for (at, said), end in zip(kept, ends, strict=False)
                    if shown(said) and end > self._now and at >= after
                ),
                None,
            )

        at = wait_until(look, f"the page to tell of {what}", PATIENCE)
        # It may have said so before: "starting" while the old process still ends, for a restart.
        self.lags[what].append(max(0.0, at - self._now))
        return at

    def _detail(self, name: str) -> Detail:
        found = self._processes.overview().get(name)
        assert found
        return found

    def _pid(self, name: str) -> int:
        pid = self._detail(name)["pid"]
        assert pid
        return pid


def _now() -> float:
    return time.time() * 1000


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def main() -> int:
    """Measures, and prints what was found; the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=20, help="rounds of each process (20)")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as home,
        running(Path(home), "--demo", COINS="bitcoin,ethereum", API_WORKERS="1") as system,
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS) as browser,
    ):
        seen = Seen(system, browser.new_page())
        for number in range(options.rounds):
            print(f"round {number + 1} of {options.rounds}", file=sys.stderr)
            for name in NAMES:
                seen.round(name)
    print(f"{'milliseconds':<28}{'times':>6}{'median':>8}{'worst':>8}")
    for what, found in sorted(seen.lags.items()):
        late = "  over 2 s" if max(found) > BOUND_MS else ""
        print(f"{what:<28}{len(found):>6}{median(found):>8.0f}{max(found):>8.0f}{late}")
    return 1 if any(max(found) > BOUND_MS for found in seen.lags.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
