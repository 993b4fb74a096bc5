"""The Market page in a real browser, against a stand-in for the API's HTTP answers."""

import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from bench.harness.browser import checked
from bench.harness.services import free_port
from dash_ui.app import create_app
from tests.harness.api_stub import PEPE, Api, a_coin, an_update, never
from tests.harness.page_data import AS_OF
from tests.harness.web_server import start, stop

MINUS = "\N{MINUS SIGN}"
DASH = "\N{EN DASH}"
TICK_MS = 5_000


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[int, str]]:
    """The API's port, and the address of a dashboard that asks it there."""
    port = free_port()
    server = start(create_app(f"http://127.0.0.1:{port}").server)
    yield port, f"http://127.0.0.1:{server.server_port}/"
    stop(server)


@pytest.fixture
def api(served: tuple[int, str]) -> Iterator[Api]:
    api = Api(port=served[0])
    api.up()
    yield api
    api.down()


@pytest.fixture
def url(served: tuple[int, str]) -> str:
    return served[1]


@pytest.fixture(scope="module")
def context(browser: Browser, served: tuple[int, str]) -> Iterator[BrowserContext]:
    """One for all tests, so that the scripts are loaded once."""
    with browser.new_context(base_url=served[1]) as context:
        # Lets a test pass the time of an interval without waiting for it.
        context.clock.install()
        yield context


@pytest.fixture
def unchecked_page(context: BrowserContext, api: Api) -> Iterator[Page]:
    page = context.new_page()
    page.set_viewport_size({"width": 1440, "height": 900})
    yield page
    context.set_offline(False)
    page.evaluate("localStorage.clear()")
    page.close()


@pytest.fixture
def page(unchecked_page: Page, url: str) -> Iterator[Page]:
    with checked(unchecked_page, url) as page:
        yield page


@pytest.fixture(scope="module")
def open_page(browser: Browser, served: tuple[int, str]) -> Iterator[Page]:
    """One page that stays open from test to test, as an analyst's does."""
    with browser.new_context(base_url=served[1]) as context:
        context.clock.install()
        with checked(context.new_page(), served[1]) as page:
            yield opened(page)


@pytest.fixture
def tick(open_page: Page, api: Api) -> Callable[[], Page]:
    """Has the open page read the API again; `api` is named so that it is up by then."""

    def pass_an_interval() -> Page:
        beat = open_page.locator("#market-beat")
        before = beat.text_content() or ""
        open_page.clock.run_for(TICK_MS)
        expect(beat).not_to_have_text(before)
        return open_page

    return pass_an_interval


def opened(page: Page) -> Page:
    page.goto("/")
    expect(page.locator("#market-beat")).not_to_be_empty()
    return page


def cell(page: Page, coin: str, column: str) -> Locator:
    return page.locator(f".ag-row[row-id={coin}] [col-id={column}]")


def names(page: Page) -> list[str]:
    """The coins in the order on the screen, which the grid does not keep in the document."""
    rows = page.locator(".ag-center-cols-container .ag-row").all()
    inside = [(int(row.get_attribute("row-index") or 0), row) for row in rows]
    return [
        row.locator(".koinx-coin-name").inner_text()
        for _, row in sorted(inside, key=lambda pair: pair[0])
    ]


def test_every_coin_with_its_numbers_and_the_exact_ones_on_hover(page: Page) -> None:
    opened(page)
    for coin, column, text, title in [
        ("bitcoin", "rank", "1", "1"),
        ("bitcoin", "name", "BitcoinBIT", "Bitcoin, BIT"),
        ("bitcoin", "price", "$64,123.46", "$64,123.456"),
        ("bitcoin", "change", "▲ +1.23 %", "1.2345 %"),
        ("bitcoin", "cap", "$1.23 T", "$1,234,567,890,123"),
        ("bitcoin", "share", "0.50 %37 of 100 prices", "$320.61728"),
        ("pepe", "price", "$0.0₅123", "$0.00000123"),
        ("pepe", "change", f"▼ {MINUS}4.56 %", "-4.56 %"),
        ("pepe", "share", "8.00 %37 of 100 prices", "$0.0000000984"),
        ("newcoin", "rank", "n/a", "n/a"),
        ("newcoin", "price", "n/a", "n/a"),
        ("newcoin", "change", f"{DASH} n/a", "n/a"),
        ("newcoin", "cap", "n/a", "n/a"),
        ("newcoin", "share", "n/a", "n/a"),
    ]:
        expect(cell(page, coin, column)).to_have_text(text)
        expect(cell(page, coin, column)).to_have_attribute("title", title)
    for coin, text in [
        ("bitcoin", "● fresh · 12 s"),
        ("pepe", "◐ late · 25 min"),
        ("newcoin", f"{DASH} never"),
    ]:
        expect(cell(page, coin, "age").locator(".koinx-when-known")).to_have_text(text)
    expect(page.locator("#market-count")).to_have_text(
        "3 coins: 1 fresh, 1 late, 1 without a quote"
    )
    expect(page.locator(".koinx-head")).to_contain_text(
        "Prices as of 2025-11-22 21:30:05 UTC (12 s ago)"
        "Last update at 2025-11-22 21:30:08 UTC: 98 new quotes."
        "Data provided by CoinGecko"
    )
    expect(page.locator("#market-alert")).to_be_hidden()
    expect(page.locator("#market-simulated")).to_be_hidden()


def test_a_card_for_each_pinned_coin_and_none_without_a_quote(page: Page) -> None:
    opened(page)
    expect(page.locator("#market-card-0")).to_contain_text("Bitcoin BIT$64,123.46▲ +1.23 % in 24 h")
    expect(page.locator("#market-card-0-price")).to_have_attribute("title", "$64,123.456")
    expect(page.locator("#market-card-1-detail")).to_contain_text("21:30:05 UTC, late")
    expect(page.locator("#market-card-2")).to_be_hidden()


def test_the_page_is_well_formed(page: Page) -> None:
    opened(page)
    expect(page).to_have_title("Market · KoinX")
    assert page.locator("html").get_attribute("lang") == "en"
    assert page.locator("main").count() == 1
    expect(page.get_by_role("heading", level=1)).to_have_text(["Market"])
    for role, name in [
        ("searchbox", "Search /"),
        ("combobox", "Theme"),
        ("radio", "Share of the price"),
        ("radio", "Amount"),
        ("button", "Refresh now"),
        ("list", "Standard deviation as a share of the price: largest first"),
    ]:
        expect(page.get_by_role(role, name=name, exact=True)).to_be_visible()  # type: ignore[arg-type]
    expect(page.get_by_role("link", name="Data provided by CoinGecko")).to_be_visible()


def test_the_chart_compares_shares_first_and_says_so_in_words(page: Page) -> None:
    opened(page)
    bars = page.locator("#market-figure li:visible .koinx-bars-label")
    expect(bars).to_have_text(["8.00 %", "0.50 %"])
    expect(page.locator("#market-figure-text")).to_contain_text("Largest: Pepe, 8.00 %")
    page.get_by_label("Amount").check()
    expect(bars).to_have_text(["$320.62", "$0.0₇984"])
    expect(page.locator("#market-figure-text")).to_contain_text("Largest: Bitcoin, $320.62")
    longest, half = (page.locator(f"#market-bar-{place}-length").bounding_box() for place in (0, 1))
    assert longest
    assert half
    assert longest["width"] > 100 * half["width"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_needs_no_sideways_scrolling(page: Page, api: Api, scheme: Any) -> None:
    api.coins[0]["name"] = "Wrapped Something With A Long Name"
    api.updates = [an_update(state="failed", counts=None, error="https://" + "long" * 40)]
    page.set_viewport_size({"width": 390, "height": 844})
    page.emulate_media(color_scheme=scheme)
    opened(page)
    expect(page.locator("html")).to_have_attribute("data-bs-theme", scheme)
    expect(page.locator("#market-bar-0")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    price = cell(page, "bitcoin", "price").bounding_box()
    assert price is not None
    assert price["x"] + price["width"] < 390


def test_the_theme_is_chosen_and_kept(page: Page) -> None:
    opened(page)
    html = page.locator("html")
    expect(html).to_have_attribute("data-bs-theme", "light")
    page.get_by_label("Theme").select_option("dark")
    expect(html).to_have_attribute("data-bs-theme", "dark")
    opened(page)
    expect(html).to_have_attribute("data-bs-theme", "dark")
    expect(page.get_by_label("Theme")).to_have_value("dark")


def test_slash_leads_to_the_search(page: Page) -> None:
    opened(page)
    expect(cell(page, "pepe", "price")).to_be_visible()
    page.keyboard.press("/")
    page.keyboard.type("pep/")
    expect(page.get_by_label("Search")).to_have_value("pep/")
    expect(page.get_by_role("grid").get_by_text("No matching coins")).to_be_visible()
    page.keyboard.press("Backspace")
    expect(page.locator(".ag-row")).to_have_count(1)
    assert names(page) == ["Pepe"]


def test_a_search_for_a_number_finds_no_prices(page: Page) -> None:
    opened(page)
    page.get_by_label("Search").fill("64")
    expect(page.get_by_role("grid").get_by_text("No matching coins")).to_be_visible()


def test_what_is_missing_sorts_last_either_way(page: Page) -> None:
    opened(page)
    header = page.locator(".ag-header-cell[col-id=price]")
    header.click()
    expect(header).to_have_attribute("aria-sort", "ascending")
    expect(page.locator(".ag-row[row-index='0']")).to_contain_text("Pepe")
    assert names(page) == ["Pepe", "Bitcoin", "Newcoin"]
    header.click()
    expect(header).to_have_attribute("aria-sort", "descending")
    expect(page.locator(".ag-row[row-index='0']")).to_contain_text("Bitcoin")
    assert names(page) == ["Bitcoin", "Pepe", "Newcoin"]


def test_an_order_and_a_search_outlive_new_data(page: Page, api: Api) -> None:
    opened(page)
    page.get_by_label("Search").fill("e")
    page.locator(".ag-header-cell[col-id=price]").click()
    expect(page.locator(".ag-row[row-index='0']")).to_contain_text("Pepe")
    expect(cell(page, "bitcoin", "price")).to_have_count(0)
    api.coins[1] = {**PEPE, "price": 2e-10}
    page.clock.run_for(TICK_MS)
    expect(cell(page, "pepe", "price")).to_have_text("$0.0₉2")
    assert names(page) == ["Pepe", "Newcoin"]


def test_a_refresh_says_what_it_changed_and_shows_it(page: Page, api: Api) -> None:
    def fetch() -> None:
        api.coins[0]["price"] = 70_000

    api.on_refresh = fetch
    opened(page)
    said = page.locator("#market-refreshed-text")
    for update, text in [
        (an_update(98), "98 new quotes"),
        (an_update(1), "1 new quote"),
        (an_update(0), "nothing changed"),
        (an_update(0, counts=None), "updated"),
    ]:
        api.updates = [update]
        page.get_by_role("button", name="Refresh now").click()
        expect(said).to_have_text(re.compile(rf"UTC: {text}$"))
    expect(cell(page, "bitcoin", "price")).to_have_text("$70,000.00")


def test_a_refresh_that_fails_says_why_and_what_to_do(page: Page, api: Api) -> None:
    api.refreshed = ({"error": "CoinGecko answered 429"}, 502)
    opened(page)
    page.get_by_role("button", name="Refresh now").click()
    expect(page.locator("#market-refreshed-text")).to_contain_text(
        "The price source failed: CoinGecko answered 429. Try again in a minute"
    )
    expect(page.get_by_role("button", name="Refresh now")).to_be_enabled()


def test_the_button_waits_while_it_refreshes(page: Page, api: Api) -> None:
    go_on = threading.Event()
    api.on_refresh = lambda: None if go_on.wait(8) else pytest.fail("was not told to go on")
    opened(page)
    page.locator("#market-refresh").click()
    try:
        expect(page.locator("#market-refresh")).to_have_text("Refreshing …")
        expect(page.locator("#market-refresh")).to_be_disabled()
    finally:
        go_on.set()
    expect(page.locator("#market-refresh")).to_have_text("Refresh now")


def test_an_api_that_is_down_from_the_start_is_named_and_recovered_from(
    page: Page, api: Api
) -> None:
    api.down()
    opened(page)
    expect(page.locator("#market-alert")).to_be_visible()
    expect(page.locator("#market-alert")).to_contain_text(
        f"The API at http://127.0.0.1:{api.port} does not answer. Start it with ./koinx start api"
    )
    expect(page.locator("#market-data")).to_be_hidden()
    api.up()
    page.clock.run_for(TICK_MS)
    expect(cell(page, "bitcoin", "price")).to_be_visible()
    expect(page.locator("#market-alert")).to_be_hidden()


def test_numbers_from_before_an_outage_do_not_look_new(page: Page, api: Api) -> None:
    opened(page)
    freshness = cell(page, "bitcoin", "age")
    expect(freshness).to_contain_text("fresh", use_inner_text=True)
    page.evaluate("window.neverReloaded = true")
    api.down()
    page.clock.run_for(TICK_MS)
    expect(page.locator("#market-alert")).to_contain_text("Showing the last known data")
    expect(freshness).to_have_text("? unknown", use_inner_text=True)
    expect(page.locator("#market-age")).to_be_hidden()
    expect(page.locator("#market-count")).to_be_hidden()
    expect(page.locator("#market-as-of")).to_contain_text("Last read at")
    expect(cell(page, "bitcoin", "price")).to_have_text("$64,123.46")
    api.up()
    page.clock.run_for(TICK_MS)
    expect(freshness).to_contain_text("fresh", use_inner_text=True)
    expect(page.locator("#market-alert")).to_be_hidden()
    assert page.evaluate("window.neverReloaded")


def test_a_dashboard_server_that_falls_silent_is_named(unchecked_page: Page) -> None:
    page = opened(unchecked_page)
    silent = page.locator(".koinx-when-silent")
    expect(silent).to_be_hidden()
    page.context.set_offline(True)
    page.clock.run_for(25_000)
    expect(silent).to_be_visible()
    expect(cell(page, "bitcoin", "age")).to_have_text("? unknown", use_inner_text=True)
    page.context.set_offline(False)
    page.clock.run_for(2 * TICK_MS)
    expect(silent).to_be_hidden()


def test_a_hidden_page_asks_nothing_until_it_is_seen_again(page: Page) -> None:
    opened(page)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    hide = "Object.defineProperty(document, 'hidden', {value: %s, configurable: true});"
    announce = "document.dispatchEvent(new Event('visibilitychange'))"
    expect(cell(page, "bitcoin", "price")).to_be_visible()
    page.evaluate(hide % "true" + announce)
    page.clock.run_for(10 * TICK_MS)
    assert asked == []
    with page.expect_request("**/_dash-update-component*"):
        page.evaluate(hide % "false" + announce)


def test_before_the_first_quote(tick: Callable[[], Page], api: Api) -> None:
    api.coins = [never("Bitcoin", 1)]
    api.updates = []
    page = tick()
    expect(page.locator("#market-alert")).to_contain_text(
        "No quotes stored yet. Press Refresh now to fetch the first ones"
    )
    expect(page.locator("#market-update")).to_have_text("No update yet.")
    expect(page.locator("#market-figure")).to_be_hidden()
    expect(page.locator("#market-figure-text")).to_contain_text("No deviations yet")
    api.coins = []
    tick()
    expect(page.locator("#market-data")).to_be_hidden()


def test_all_data_stale(tick: Callable[[], Page], api: Api) -> None:
    api.coins = [a_coin("Bitcoin", freshness="stale", age_seconds=3 * 3_600)]
    page = tick()
    expect(page.locator("#market-alert")).to_contain_text(
        "All prices are stale: the newest is 3 h old. Press Refresh now, and check with "
        "./koinx status that worker and beat run"
    )
    expect(page.locator("#market-card-0-detail")).to_contain_text("UTC, stale")


def test_a_week_is_drawn_and_told_and_its_gap_parts_the_line(
    tick: Callable[[], Page], api: Api
) -> None:
    line = tick().locator(".ag-row[row-id=bitcoin] .koinx-week")
    expect(line).to_have_attribute("aria-label", re.compile("^7 days: .*5.*%, from .*60,000"))
    assert (line.locator("path").get_attribute("d") or "").count("M") == 2


@pytest.mark.parametrize("source", ["simulator", "replay"])
def test_a_simulated_market_says_so(tick: Callable[[], Page], api: Api, source: str) -> None:
    api.coins = [a_coin("Bitcoin", source=source)]
    page = tick()
    expect(page.locator("#market-simulated")).to_be_visible()
    expect(page.locator("#market-simulated")).to_contain_text("Simulated market")
    expect(page.get_by_text("Data provided by CoinGecko")).to_be_hidden()


@pytest.mark.parametrize(
    ("update", "text"),
    [
        (
            an_update(state="failed", counts=None, error="CoinGecko answered 500"),
            "Last update failed at 2025-11-22 21:30:08 UTC: CoinGecko answered 500",
        ),
        (
            an_update(state="missed", slot=AS_OF.isoformat(), finished_at=None, counts=None),
            "The update due at 2025-11-22 21:30:05 UTC did not run.",
        ),
        (
            an_update(state="running", finished_at=None, counts=None),
            "Update running since 2025-11-22 21:30:05 UTC.",
        ),
    ],
)
def test_the_last_update_in_plain_words(
    tick: Callable[[], Page], api: Api, update: dict[str, Any], text: str
) -> None:
    api.updates = [update]
    page = tick()
    expect(page.locator("#market-update")).to_have_text(text)


def test_a_retired_coin_names_its_successor(tick: Callable[[], Page], api: Api) -> None:
    api.coins = [a_coin("Matic", state="retired", successor="polygon-ecosystem-token")]
    page = tick()
    expect(cell(page, "matic", "name")).to_have_attribute(
        "title", "Matic, MAT, replaced by polygon-ecosystem-token"
    )
    expect(cell(page, "matic", "name")).to_contain_text("retired")


def test_a_name_from_the_source_is_text_and_not_markup(tick: Callable[[], Page], api: Api) -> None:
    name = "<img src=x onerror=alert(1)>"
    api.coins = [a_coin("Bitcoin") | {"name": name}]
    page = tick()
    expect(page.locator(".koinx-coin-name")).to_have_text(name)
    expect(page.locator("#market-bar-0-label")).to_have_text("0.50 %")
    assert page.locator("img").count() == 0


def test_inline_scripts_are_refused(unchecked_page: Page) -> None:
    opened(unchecked_page)
    unchecked_page.evaluate(
        "const script = document.createElement('script');"
        "script.textContent = 'window.inlineRan = true'; document.head.append(script)"
    )
    assert unchecked_page.evaluate("window.inlineRan") is None


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:8050"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/health"),
        ("GET", "/_dash-layout"),
        ("POST", "/_dash-update-component"),
    ],
)
@pytest.mark.row("foreign-page")
def test_a_foreign_host_is_refused(method: str, path: str, host: str) -> None:
    client = create_app("http://127.0.0.1:9").server.test_client()
    answer = client.open(path, method=method, json={}, headers={"Host": host})
    assert answer.status_code == (400 if method == "GET" else 403)


@pytest.mark.parametrize("host", ["localhost:8050", "127.0.0.1", "koinx.example"])
def test_our_own_hosts_are_served(host: str) -> None:
    client = create_app("http://127.0.0.1:9", host="koinx.example").server.test_client()
    answer = client.get("/health", headers={"Host": host})
    assert (answer.status_code, answer.text) == (200, "OK")


def test_every_answer_carries_the_guarding_headers() -> None:
    client = create_app("http://127.0.0.1:9").server.test_client()
    for path in ("/", "/health", "/assets/bootstrap.min.css"):
        with client.get(path) as answer:
            headers = answer.headers
        policy = headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in policy
        assert "script-src 'self' 'sha256-" in policy
        assert "unsafe-eval" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"


def test_two_apps_in_one_process_keep_apart(page: Page) -> None:
    create_app("http://127.0.0.1:9", currency="eur")
    opened(page)
    expect(cell(page, "bitcoin", "price")).to_have_text("$64,123.46")
