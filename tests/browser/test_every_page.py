"""What holds for each page alike, in a real browser on a small system of its own."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser, Page, Route, expect

from bench.harness.browser import checked
from bench.harness.services import wait_until
from bench.harness.system import System, running
from tests.harness import axe, shown_numbers

# What is there once a page is whole.
PAGES = {
    "Market": ".ag-row[row-id=bitcoin] a",
    "Coin": "#coin-figure .main-svg",
    "Servers": "#servers-card-dashboard-state:text('ready')",
    "Docs": "article h1",
}
# Elements that Tab must come to. In a group of radio buttons it is the chosen one; a table has
# cells of its own kind, of which Tab finds the first.
REACHABLE = """() => [...document.querySelectorAll(
    'a[href], button, input, select, textarea, summary, [tabindex="0"]')].filter(one =>
        one.checkVisibility() && !one.disabled && !one.closest('.ag-root-wrapper')
        && !(one.type === 'radio' && !one.checked))"""
# Notes each element that gets the focus, with the looks that it has then.
WATCH = """() => {
    const looks = (one) => { const style = getComputedStyle(one); return [style.outlineStyle,
        style.outlineWidth, style.outlineColor, style.boxShadow, style.borderColor,
        style.backgroundColor].join() };
    window.stops = new Map();
    const note = (event) => window.stops.set(event.target, looks(event.target));
    document.addEventListener("focusin", note);
    window.unseen = () => {
        document.removeEventListener("focusin", note);
        document.activeElement.blur();
        return [...window.stops].filter(([one, seen]) => looks(one) === seen)
            .map(([one]) => one.outerHTML.slice(0, 150));
    };
}"""


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    home = tmp_path_factory.mktemp("pages") / "home"
    with running(home, "--demo", COINS="bitcoin,ethereum,top:20", API_WORKERS="1") as system:
        yield system


@pytest.fixture(scope="module")
def open_page(browser: Browser, system: System) -> Iterator[Page]:
    """One page for all tests, so that the scripts are loaded once."""
    with (
        browser.new_context(base_url=system.dash) as context,
        checked(context.new_page(), system.dash) as page,
    ):
        system.let_in(context)
        page.goto("/guide")
        yield page


@pytest.fixture
def page(open_page: Page) -> Page:
    open_page.set_viewport_size({"width": 1440, "height": 900})
    open_page.emulate_media(color_scheme="light")
    return open_page


def opened(page: Page, name: str) -> Page:
    """By the navigation where it leads there: as a reader does, and faster."""
    page.get_by_role("link", name=name, exact=True).click()
    # The Coin page brings a library of some megabytes along.
    expect(page.locator(PAGES[name]).first).to_be_visible(timeout=45_000)
    return page


@pytest.mark.parametrize("name", PAGES)
def test_a_page_has_no_serious_fault_for_who_hears_or_hardly_sees_it(page: Page, name: str) -> None:
    opened(page, name)
    for fold in page.locator("details summary").all():
        fold.click()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for width in (1440, 390):
            page.set_viewport_size({"width": width, "height": 900})
            expect(page.locator("html")).to_have_attribute("data-bs-theme", scheme)
            assert axe.faults(page) == [], f"{scheme}, {width} pixels"
            assert page.evaluate("document.documentElement.scrollWidth") == width


def test_the_checker_finds_faults(page: Page) -> None:
    opened(page, "Docs")
    page.evaluate("document.querySelector('article h1').innerHTML = '<button></button>'")
    assert [fault.split()[0] for fault in axe.faults(page)] == ["button-name"]


@pytest.mark.parametrize("name", PAGES)
def test_every_control_is_reached_by_tab_and_shows_it(page: Page, name: str) -> None:
    opened(page, name)
    # A colour on its way to the one of the focus is not seen yet.
    page.emulate_media(reduced_motion="reduce")
    expected = page.evaluate_handle(f"({REACHABLE})()")
    count: int = expected.evaluate("all => all.length")
    assert count > 5
    page.evaluate(WATCH)
    # All around, over the end of the page, and over a table's headings.
    for _ in range(count + 12):
        page.keyboard.press("Tab")
    missed = "all => all.filter(one => !window.stops.has(one)).map(one => one.outerHTML)"
    assert expected.evaluate(missed) == []
    in_grid = "[...window.stops.keys()].some(one => one.closest('.ag-root-wrapper'))"
    assert page.evaluate(in_grid) or name != "Market"
    assert page.evaluate("window.unseen()") == []


def test_the_market_by_keyboard_alone(page: Page) -> None:
    opened(page, "Market")
    keys = page.keyboard
    keys.press("/")
    expect(page.get_by_label("Search")).to_be_focused()
    keys.type("eth")
    expect(page.locator(".ag-row")).not_to_have_count(0)
    expect(page.locator(".ag-row[row-id=bitcoin]")).to_have_count(0)
    keys.press("Tab")  # into the table: its first heading
    keys.press("Enter")
    expect(page.locator(".ag-header-cell[col-id=rank]")).to_have_attribute("aria-sort", "ascending")
    keys.press("ArrowDown")
    focused = page.locator(".ag-cell:focus")
    expect(focused).to_be_visible()
    row = page.locator(".ag-row", has=focused)
    coin = row.get_attribute("row-id")
    keys.press("Enter")
    expect(page).to_have_url(re.compile(f"/coin/{coin}"))


def test_the_theme_and_what_is_compared_by_arrows(page: Page) -> None:
    opened(page, "Market")
    page.get_by_label("Theme").focus()
    for theme in ("light", "dark"):
        page.keyboard.press("ArrowDown")
        expect(page.locator("html")).to_have_attribute("data-bs-theme", theme)
    page.keyboard.press("Home")
    expect(page.get_by_label("Theme")).to_have_value("system")
    page.get_by_role("radio", name="Share of the price").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#market-figure-title")).to_contain_text("as an amount")
    page.get_by_role("button", name="Refresh now").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#market-refreshed-text")).to_contain_text("UTC:")


def test_a_coin_by_keyboard_alone(page: Page) -> None:
    opened(page, "Coin")
    page.get_by_label("24 h", exact=True).focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#coin-figure-text")).to_contain_text("the last 7 days")
    page.locator("#coin-rows-fold summary").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#coin-rows .ag-row").first).to_be_visible()
    page.get_by_text("Chart API request").focus()
    page.keyboard.press("Space")
    page.get_by_role("button", name="Copy as curl: Chart API request").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text(re.compile("Copied|Selected"))).to_be_visible()
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("/")
    page.keyboard.type("ethereum")
    page.keyboard.press("Enter")
    expect(page.locator("#coin-name")).to_have_text("Ethereum ETH")


def test_the_servers_by_keyboard_alone(page: Page) -> None:
    opened(page, "Servers")
    page.get_by_role("button", name="Restart market", exact=True).focus()
    page.keyboard.press("Enter")
    expect(page.locator("#servers-said")).to_contain_text("Restarting market …")
    page.get_by_label("Process", exact=True).focus()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_label("Process", exact=True)).to_have_value("worker")
    expect(page.locator("#servers-output-said")).to_contain_text("worker")
    page.get_by_label("Pause").focus()
    page.keyboard.press("Space")
    expect(page.get_by_label("Pause")).to_be_checked()
    page.get_by_role("button", name="Update now").focus()
    page.keyboard.press("Space")
    expect(page.locator("#servers-updated")).to_contain_text("UTC:")


def test_the_guides_by_keyboard_alone(page: Page) -> None:
    opened(page, "Docs")
    page.set_viewport_size({"width": 390, "height": 844})
    page.get_by_role("navigation", name="Guides").get_by_role(
        "link", name="Failure handling"
    ).focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Failure handling")
    table = page.get_by_role("region", name="Table, Failures")
    table.focus()
    page.keyboard.press("ArrowRight")
    wait_until(lambda: table.evaluate("box => box.scrollLeft") > 0, "the table to scroll")


def test_the_shown_numbers_are_the_apis(page: Page, system: System) -> None:
    for _ in range(2):  # so that deviations are none of nothing
        assert requests.post(f"{system.api}/trigger-update", timeout=20).ok
    assert shown_numbers.assert_market(page, system.api) > 15
    for coin in ("bitcoin", "tether"):
        shown_numbers.assert_coin(page, system.api, coin)


@pytest.mark.parametrize(
    ("name", "button"),
    [
        ("Market", None),
        ("Market", "Refresh now"),
        ("Coin", None),
        ("Servers", None),
        ("Servers", "Update now"),
    ],
)
def test_a_page_that_is_left_at_work_leaves_no_error(
    page: Page, name: str, button: str | None
) -> None:
    opened(page, name)
    held: list[Route] = []
    ours = f"{name.lower()}-"

    def hold(route: Route) -> None:
        if f'"id":"{ours}' in (route.request.post_data or ""):
            held.append(route)
        else:
            route.continue_()

    page.route("**/_dash-update-component*", hold)
    if button:
        page.get_by_role("button", name=button).click()

    def awaited() -> Any:
        page.wait_for_timeout(20)
        return held

    wait_until(awaited, "callbacks to be at work")
    opened(page, "Docs")
    answered: list[str] = []
    page.on("response", lambda response: answered.append(response.url))
    for route in held:
        route.continue_()
    page.unroute("**/_dash-update-component*")

    def over() -> Any:
        page.wait_for_timeout(20)
        return len(answered) >= len(held)

    wait_until(over, "their answers")
    opened(page, name)
    # That all goes on: nothing is left as it was for the time of a callback.
    beat = page.locator(f"#{ours}beat")
    before = beat.text_content() or ""
    expect(beat).not_to_have_text(before)
