"""The Servers page in a real browser, on a small system of its own."""

import json
import os
import re
import signal
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser, Locator, Page, Request, expect

from bench.harness.browser import checked
from bench.harness.services import free_port, wait_until
from bench.harness.system import System
from dash_ui.app import create_app
from supervisor.control import Processes
from tests.harness.servers_page import READY, page, pid, press, state, system
from tests.harness.web_server import start, stop

__all__ = ["page", "system"]

TRUE_WITHIN_MS = 2_000


def card(page: Page, name: str) -> Locator:
    return page.locator(f"#servers-card-{name}")


def test_each_process_with_its_state_figures_and_address(page: Page, system: System) -> None:
    expect(page.locator("#servers-count")).to_have_text("8 of 8 ready")
    for name in ("mongodb", "nats", "redis", "market", "api", "worker", "beat", "dashboard"):
        expect(state(page, name)).to_have_text(READY)
        expect(page.locator(f"#servers-card-{name}-figures")).to_have_text(
            re.compile(r"up \d+ (s|min) · 0 restarts · CPU .+ % · memory .+\s[MG]B")
        )
        expect(page.get_by_role("button", name=f"Start {name}", exact=True)).to_be_disabled()
    expect(page.get_by_role("link", name=system.api, exact=True)).to_have_attribute(
        "href", system.api
    )
    expect(page.locator("#servers-card-nats-url")).to_contain_text("nats://127.0.0.1:")
    assert page.locator("#servers-card-nats-url").get_attribute("href") is None
    expect(page.locator("#servers-alert")).to_be_hidden()
    expect(page.locator("#servers-anothers")).to_be_hidden()


def test_the_page_is_well_formed_and_fits_a_phone(page: Page) -> None:
    expect(page).to_have_title("Servers · KoinX")
    assert page.locator("main").count() == 1
    expect(page.get_by_role("heading", level=1)).to_have_text(["Servers"])
    for role, name in [
        ("combobox", "Process"),
        ("combobox", "Lines"),
        ("searchbox", "Filter"),
        ("checkbox", "Follow"),
        ("checkbox", "Pause"),
        ("link", "Download"),
        ("button", "Update now"),
        ("button", "Restart all"),
        ("progressbar", "Finished repairs"),
    ]:
        expect(page.get_by_role(role, name=name, exact=True)).to_be_visible()  # type: ignore[arg-type]
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.set_viewport_size({"width": 1440, "height": 900})


def test_going_to_the_market_and_back_leaves_no_error(page: Page) -> None:
    page.get_by_role("link", name="Market", exact=True).click()
    expect(page.locator(".ag-row[row-id=bitcoin]")).to_be_visible()
    page.get_by_role("link", name="Servers", exact=True).click()
    expect(state(page, "api")).to_have_text(READY)


def test_stop_start_and_restart_of_one(page: Page, system: System) -> None:
    before = pid(system, "market")
    press(page, "Restart", "market")
    wait_until(lambda: pid(system, "market") not in (None, before), "another market")
    expect(state(page, "market")).to_have_text(READY)
    press(page, "Stop", "market")
    expect(state(page, "market")).to_have_text("○ stopped")
    assert pid(system, "market") is None
    expect(page.get_by_role("button", name="Stop market", exact=True)).to_be_disabled()
    press(page, "Start", "market")
    expect(state(page, "market")).to_have_text(READY)


def test_a_kill_from_outside_is_seen_within_two_seconds(page: Page, system: System) -> None:
    killed = pid(system, "market")
    assert killed
    os.kill(killed, signal.SIGKILL)
    expect(state(page, "market")).not_to_have_text(READY, timeout=TRUE_WITHIN_MS)
    expect(state(page, "market")).to_have_text(READY)
    expect(card(page, "market")).to_contain_text("1 restart")


def test_output_is_shown_filtered_paused_and_downloaded(page: Page, system: System) -> None:
    output = page.locator("#servers-output-text")
    log = system.home / "logs" / "supervisor.log"
    page.get_by_label("Process", exact=True).select_option("supervisor")
    expect(output).to_contain_text("of=dashboard")
    page.get_by_label("Filter").fill("OF=REDIS")
    expect(output).to_have_text(
        re.compile(r"^\S+ info +process started +logger=supervisor of=redis its_pid=\d+$")
    )
    expect(page.locator("#servers-output-said")).to_contain_text('1 of them with "OF=REDIS"')
    page.get_by_label("Filter").fill("a mark")
    with log.open("a") as file:
        file.write("here is a mark <b>\n")
    expect(output).to_have_text("here is a mark <b>")
    page.get_by_label("Pause").check()
    expect(page.locator("#servers-output-said")).to_contain_text("Paused")
    with log.open("a") as file:
        file.write("a mark behind it\n")
    with page.expect_request(lambda r: "servers-output-text" in (r.post_data or "")) as look:
        pass
    assert look.value.response() is not None
    expect(output).to_have_text("here is a mark <b>")
    page.get_by_label("Pause").uncheck()
    expect(output).to_contain_text("a mark behind it")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    assert download.value.suggested_filename == "supervisor.log"
    assert download.value.path().read_bytes() == log.read_bytes()
    page.get_by_label("Filter").fill("")


@pytest.mark.parametrize("name", ["api_key", "..%2Frun%2Fapi_key", "%2Fetc%2Fpasswd", "nobody"])
def test_no_other_file_is_given_away(system: System, name: str) -> None:
    with requests.get(system.link(f"/servers/output/{name}"), timeout=5) as answer:
        assert "root:" not in answer.text
        assert answer.status_code == 404 or answer.text.startswith("<!DOCTYPE html>")
        assert (system.home / "run" / "api_key").read_text().strip() not in answer.text


def test_an_update_now_with_its_hops_and_when_the_next_is_due(page: Page) -> None:
    rows = page.locator(".servers-runs li:visible")
    before = rows.count()
    page.get_by_role("button", name="Update now").click()
    expect(page.locator("#servers-updated")).to_have_text(
        re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC: (\d+ new quotes?|nothing changed)")
    )
    expect(rows).to_have_count(before + 1)
    expect(rows.first).to_contain_text("● done")
    expect(rows.first).to_contain_text(re.compile(r"received \d.* · fetched \d.* · finished \d"))
    drawn = page.locator("#servers-run-0-bar").evaluate("e => getComputedStyle(e).backgroundImage")
    assert drawn.startswith("linear-gradient")
    expect(page.locator("#servers-due")).to_contain_text(
        re.compile(r"Next update at \d{4}-\d\d-\d\d \d\d:\d\d:00 UTC, in")
    )
    expect(page.locator("#servers-repairs-text")).to_contain_text("repairs finished")


@pytest.fixture(scope="module")
def wish(page: Page) -> Request:
    """The request with which the page starts all; nothing ends by it."""

    def is_wish(request: Request) -> bool:
        # The tick that shows the states names the buttons as well: it sets whether they are off.
        asked = json.loads(request.post_data or "{}")
        return bool(asked.get("output") == "servers-said.children")

    with page.expect_request(is_wish) as sent:
        press(page, "Start", "all")
    return sent.value


@pytest.mark.parametrize(
    ("headers", "with_cookie"),
    [
        ({}, False),
        ({"Origin": "http://evil.example"}, True),
        ({"Origin": "null"}, True),
        ({"Host": "evil.example"}, True),
    ],
)
@pytest.mark.row("foreign-page")
def test_nobody_else_starts_or_stops_anything(
    page: Page, system: System, wish: Request, headers: dict[str, str], *, with_cookie: bool
) -> None:
    asked, status, _ = sent(page, system, wish, headers, with_cookie=with_cookie)
    assert status in (400, 401, 403)
    assert asked == 0


def test_the_page_itself_does(page: Page, system: System, wish: Request) -> None:
    asked, status, text = sent(page, system, wish, {"Origin": system.dash}, with_cookie=True)
    assert (asked, status) == (1, 200), text


def sent(
    page: Page, system: System, wish: Request, headers: dict[str, str], *, with_cookie: bool
) -> tuple[int, int, str]:
    """How many wishes a request brought about, its status, and its answer."""
    before = serial(system)
    cookies: dict[str, Any] = {c["name"]: c["value"] for c in page.context.cookies()}
    with requests.post(
        wish.url,
        data=wish.post_data,
        headers={"Content-Type": "application/json", **headers},
        cookies=cookies if with_cookie else None,
        timeout=10,
    ) as answer:
        return serial(system) - before, answer.status_code, answer.text


def serial(system: System) -> int:
    found = Processes(system.home).state_dir.read("wish.json")["serial"]
    return int(found)


def test_a_supervisor_that_is_gone_is_named_and_brought_back(page: Page, system: System) -> None:
    supervisor = Processes(system.home).state_dir.read("supervisor.json")["pid"]
    os.kill(supervisor, signal.SIGKILL)
    expect(page.locator("#servers-alert")).to_contain_text(
        "The supervisor is not running", timeout=TRUE_WITHIN_MS
    )
    expect(state(page, "api")).to_have_text("◐ running, not ready")
    press(page, "Start", "all")
    expect(page.locator("#servers-alert")).to_be_hidden()
    expect(page.locator("#servers-count")).to_have_text("8 of 8 ready")


def test_processes_of_another_are_left_to_it(browser: Browser) -> None:
    server = start(create_app(f"http://127.0.0.1:{free_port()}").server)
    url = f"http://127.0.0.1:{server.server_port}"
    try:
        with browser.new_context(base_url=url) as context, checked(context.new_page(), url) as page:
            page.goto("/servers")
            expect(page.locator("#servers-anothers")).to_contain_text(
                "KoinX did not start any process"
            )
            for verb in ("Start", "Stop", "Restart"):
                expect(page.get_by_role("button", name=f"{verb} all", exact=True)).to_be_disabled()
            expect(page.locator(".servers-card:visible")).to_have_count(0)
            expect(page.locator("#servers-output-text")).to_be_hidden()
    finally:
        stop(server)


def test_stop_all_leaves_the_dashboard(page: Page) -> None:
    press(page, "Stop", "all")
    for name in ("mongodb", "nats", "redis", "market", "api", "worker", "beat"):
        expect(state(page, name)).to_have_text("○ stopped")
    expect(state(page, "dashboard")).to_have_text(READY)
    expect(page.locator("#servers-due")).to_contain_text("does not answer")
    expect(page.get_by_role("button", name="Start all", exact=True)).to_be_enabled()


def test_an_open_page_outlives_a_restart_of_the_dashboard(
    page: Page, browser: Browser, system: System
) -> None:
    # Requests fail meanwhile, and the console says so: that is not for the checked page.
    page.goto("about:blank")
    before = pid(system, "dashboard")
    with browser.new_context(base_url=system.dash) as context:
        other = context.new_page()
        other.goto(system.link("/servers"))
        expect(state(other, "dashboard")).to_have_text(READY)
        other.evaluate("window.neverReloaded = true")
        press(other, "Restart", "dashboard")
        wait_until(lambda: pid(system, "dashboard") not in (None, before), "another dashboard")
        seen = other.locator("#servers-beat").text_content() or ""
        expect(other.locator("#servers-beat")).not_to_have_text(seen)
        expect(state(other, "dashboard")).to_have_text(READY)
        assert other.evaluate("window.neverReloaded")
