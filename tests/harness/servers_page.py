"""The Servers page of a system in Chromium."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from bench.harness.browser import checked
from bench.harness.system import System, running
from dash_ui.pages.servers.actions import PROGRESS
from supervisor.control import Processes

READY = "● running, ready"


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    home = tmp_path_factory.mktemp("servers") / "home"
    with running(home, "--demo", COINS="bitcoin,ethereum", API_WORKERS="1") as system:
        yield system


@pytest.fixture(scope="module")
def page(browser: Browser, system: System) -> Iterator[Page]:
    """One page that stays open from test to test, as an operator's does."""
    address = system.dash
    with (
        browser.new_context(base_url=address) as context,
        checked(context.new_page(), address) as page,
    ):
        page.set_viewport_size({"width": 1440, "height": 900})
        page.goto(system.link("/servers"))
        expect(state(page, "api")).to_have_text(READY)
        yield page


def state(page: Page, name: str) -> Locator:
    return page.locator(f"#servers-card-{name}-state")


def press(page: Page, verb: str, name: str) -> None:
    page.get_by_role("button", name=f"{verb} {name}", exact=True).click()
    expect(page.locator("#servers-said")).to_contain_text(f"{PROGRESS[verb.lower()]} {name} …")


def pid(system: System, name: str) -> int | None:
    found = Processes(system.home).overview().get(name)
    return found["pid"] if found else None
