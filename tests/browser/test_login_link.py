"""A link in a real browser, to a dashboard that runs as it does in earnest."""

import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Browser, expect

from bench.harness.services import wait_until
from bench.harness.system import System
from settings import ROOT

PROCESSES, THREADS = 2, 16


@pytest.fixture
def system(tmp_path: Path) -> System:
    """A home in which nothing was started: the dashboard is served as README has it."""
    return System(tmp_path / "home")


@contextmanager
def served(system: System) -> "Iterator[subprocess.Popen[bytes]]":
    """The dashboard alone, by several processes; nothing is left of it at the end."""
    port = system.dash.rpartition(":")[2]
    command = f".venv/bin/granian --interface wsgi --port {port} --workers {PROCESSES}"
    options = f"--blocking-threads {THREADS} --access-log dash_ui.wsgi:server"
    with (
        (system.home.parent / "log").open("ab") as log,
        subprocess.Popen(
            [*command.split(), *options.split()],
            cwd=ROOT,
            env=system.environment,
            stdout=log,
            stderr=log,
        ) as process,
    ):
        try:
            wait_until(lambda: _answers(system), "the dashboard to answer", 60)
            yield process
        finally:
            for left in system.processes():
                left.kill()


def _answers(system: System) -> bool:
    with suppress(requests.RequestException):
        return requests.get(f"{system.dash}/health", timeout=5).ok
    return False


@pytest.mark.row("local-stranger")
def test_a_link_opens_a_page_that_outlives_the_dashboard(system: System, browser: Browser) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        with served(system) as dashboard:
            # Given a link that was opened
            link = system.link("/servers").replace("?", "?of=today&")
            page.goto(link)
            assert page.url == f"{system.dash}/servers?of=today"
            expect(page.locator("#servers-beat")).not_to_be_empty()
            session = next(c for c in context.cookies() if c["sameSite"] == "Lax")
            assert session["httpOnly"]
            assert session["expires"] > 0
            page.reload()
            expect(page.locator("#servers-beat")).not_to_be_empty()
            page.evaluate("window.neverReloaded = true")
            # Then no other browser can open it
            with browser.new_context() as another:
                other = another.new_page()
                answer = other.goto(link)
                assert answer is not None
                assert answer.status == 401
                expect(other.get_by_role("heading", level=1)).to_have_text(
                    "This link has expired or was already used"
                )
                expect(other.locator("main")).to_contain_text("Run ./koinx status")
            # When the dashboard is killed
            dashboard.send_signal(signal.SIGKILL)
        seen = page.locator("#servers-beat").text_content() or ""
        # Then the open page goes on with the next one
        with served(system):
            expect(page.locator("#servers-beat")).not_to_have_text(seen)
            assert page.evaluate("window.neverReloaded")
            page.reload()
            expect(page.get_by_role("heading", level=1)).to_have_text("Servers")
            _of_many_at_once_one_gets_in(system)
    written = (system.home.parent / "log").read_text()
    assert "/servers" in written
    assert "token" not in written


def _of_many_at_once_one_gets_in(system: System) -> None:
    link = system.link()

    def status(_number: int) -> int:
        with requests.get(link, timeout=10, allow_redirects=False) as answer:
            return answer.status_code

    with ThreadPoolExecutor(THREADS) as pool:
        statuses = sorted(pool.map(status, range(THREADS)))
    assert statuses == [303, *[401] * (THREADS - 1)]
