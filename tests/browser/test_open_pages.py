"""Pages that stay open in a real browser while what is behind them dies and comes back."""

import os
import signal
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from bench.harness.services import wait_until
from bench.harness.system import System, running
from supervisor.control import Processes
from supervisor.process_identity import Identity
from supervisor.state_dir import SUPERVISOR_FILE
from tests.harness.servers_page import READY, pid, press, state

OTHERS = ("mongodb", "nats", "redis", "market", "api", "worker", "beat")
SETTINGS = {"COINS": "bitcoin,ethereum", "API_WORKERS": "1"}
OLD = {"market": "#market-data", "coin": "#coin-page"}
MARK = "window.neverReloaded = true"


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    home = tmp_path_factory.mktemp("open") / "home"
    with running(home, "--demo", **SETTINGS) as system:
        yield system


@pytest.fixture
def context(browser: Browser, system: System) -> Iterator[BrowserContext]:
    """A browser whose pages are never loaded again."""
    with browser.new_context(base_url=system.dash) as context:
        system.let_in(context)
        yield context
        assert all(page.evaluate("window.neverReloaded") for page in context.pages)


def opened(context: BrowserContext, path: str) -> Page:
    page = context.new_page()
    page.goto(path)
    page.evaluate(MARK)
    return page


def kill_all_of(system: System, name: str) -> int:
    """Kills a process with all that it started; its pid."""
    leader = pid(system, name)
    assert leader
    os.killpg(leader, signal.SIGKILL)
    return leader


def pids(system: System) -> list[int | None]:
    return [pid(system, name) for name in OTHERS]


def test_a_killed_dashboard_comes_back_and_nothing_else_stops(
    context: BrowserContext, system: System
) -> None:
    page = opened(context, "/servers")
    expect(state(page, "dashboard")).to_have_text(READY)
    before = pids(system)
    killed = kill_all_of(system, "dashboard")
    wait_until(lambda: pid(system, "dashboard") not in (None, killed), "another dashboard")
    expect(page.locator("#servers-card-dashboard")).to_contain_text("1 restart")
    expect(state(page, "dashboard")).to_have_text(READY)
    expect(page.locator("#servers-count")).to_have_text("8 of 8 ready")
    assert pids(system) == before


def test_dashboard_and_supervisor_killed_leave_the_rest_to_the_next_ones(
    context: BrowserContext, system: System
) -> None:
    page = opened(context, "/servers")
    expect(state(page, "api")).to_have_text(READY)
    before, processes = pids(system), Processes(system.home)
    os.kill(processes.state_dir.read(SUPERVISOR_FILE)["pid"], signal.SIGKILL)
    kill_all_of(system, "dashboard")
    wait_until(lambda: not processes.supervised(), "the supervisor to be gone")
    assert all(one and Identity.of(one) for one in before)
    up = system.koinx("up", "--demo", "--detach")
    assert up.returncode == 0, up.stdout + up.stderr
    assert pids(system) == before
    expect(page.locator("#servers-count")).to_have_text("8 of 8 ready")
    expect(page.locator("#servers-alert")).to_be_hidden()
    press(page, "Restart", "market")
    old = before[OTHERS.index("market")]
    wait_until(lambda: pid(system, "market") not in (None, old), "another market")
    assert old
    assert Identity.of(old) is None


def test_a_stopped_api_is_named_and_its_return_is_seen(context: BrowserContext) -> None:
    # Given an open Market page and an open Coin page
    pages = {"market": opened(context, "/"), "coin": opened(context, "/coin/bitcoin")}
    for kind, page in pages.items():
        expect(page.locator(f"#{kind}-data")).to_be_visible()
        expect(page.locator(f"#{kind}-alert")).to_be_hidden()
    # When the API is stopped from the Servers page
    servers = opened(context, "/servers")
    press(servers, "Stop", "api")
    expect(state(servers, "api")).to_have_text("○ stopped")
    # Then they say what is wrong and what to do, and mark what they still show as old
    for kind, page in pages.items():
        page.bring_to_front()
        expect(page.locator(f"#{kind}-alert")).to_contain_text("does not answer")
        expect(page.locator(f"#{kind}-alert")).to_contain_text("./koinx start api")
        expect(page.locator(OLD[kind])).to_have_class("koinx-old")
    # The alert is in it, and must not be dimmed with the rest
    expect(pages["coin"].locator("#coin-page")).to_have_css("opacity", "1")
    expect(pages["market"].locator("#market-as-of")).to_contain_text("Last read at")
    expect(pages["market"].locator("#market-age")).to_be_hidden()
    # And when it is there again, they go on by themselves
    servers.bring_to_front()
    press(servers, "Start", "api")
    for kind, page in pages.items():
        page.bring_to_front()
        expect(page.locator(f"#{kind}-alert")).to_be_hidden()
        expect(page.locator(OLD[kind])).not_to_have_class("koinx-old")
    expect(pages["market"].locator("#market-as-of")).to_contain_text("Prices as of")
