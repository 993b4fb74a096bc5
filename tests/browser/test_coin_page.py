"""The Coin page in a real browser, against the real API over a day that was mostly repaired."""

import csv
import io
import re
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote as quoted

import pytest
import requests
from playwright.sync_api import Browser, Page, expect
from pydantic import SecretStr

from api.app import create_app as create_api
from api.extensions import EXTENSION
from bench.harness.browser import checked
from bench.harness.services import free_port, keep, quote
from dash_ui.app import create_app
from dash_ui.components import format as fmt
from dash_ui.pages.coin.page import INTERVAL_MS
from dash_ui.pages.coin.statistics import MONEY
from market.storage import database as market_database
from market.storage.database import REPAIRED
from market.storage.quote_store import QuoteStore
from settings import Settings
from tests.harness.web_server import start, stop

ODD = "an odd ünï?&#1%2F"
QUARTER = timedelta(minutes=15)
RECORDED = 5
GAP = range(31, 41)  # slots ago
REPAIRED_SLOTS = [ago for ago in range(RECORDED, 90) if ago not in GAP]


class Api:
    """The real API at one port, which can go down and come back."""

    def __init__(self, settings: Settings) -> None:
        self._app = create_api(settings)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.up()

    def up(self) -> None:
        self._server = start(self._app, self.port)

    def down(self) -> None:
        stop(self._server)

    def close(self) -> None:
        self.down()
        self._app.extensions[EXTENSION].nats.close()

    def statistics(self, **query: str) -> dict[str, Any]:
        path = f"{self.url}/v1/coins/bitcoin/statistics"
        found: dict[str, Any] = requests.get(path, query, timeout=10).json()
        return found


@pytest.fixture(scope="module")
def store(mongodb: str) -> Iterator[QuoteStore]:
    """A day of bitcoin: five records, the rest repaired but for one gap; and an odd coin."""
    database = market_database.connect(mongodb, "koinx_demo_usd")
    database.client.drop_database(database.name)
    market_database.prepare(database)
    store = QuoteStore(database)
    now = datetime.now(UTC)
    for ago in range(RECORDED - 1, -1, -1):
        at = now - ago * QUARTER
        known = {"volume_24h": 2e10, "market_cap": 1.2e12, "change_24h": -1.5, "rank": 1}
        keep(store, quote("bitcoin", 64_000 + 17.123 * ago, at, **known))
    keep(store, quote(ODD, 0.00000123, now))
    database[REPAIRED].insert_many(
        [
            {
                "_id": {"coin": "bitcoin", "at": now - ago * QUARTER},
                "price": 63_000 + 25.5 * (ago % 13),
                "volume_24h": 2.1e10,
                **dict.fromkeys(("market_cap", "change_24h")),
                "source": "simulator",
                "recorded_at": now,
                "resolution": 300,
            }
            for ago in REPAIRED_SLOTS
        ]
    )
    yield store
    market_database.disconnect()


@pytest.fixture(scope="module")
def api(
    mongodb: str, _redis: str, store: QuoteStore, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Api]:
    settings = Settings(
        market="demo",
        coins="bitcoin,ethereum,matic-network",
        mongodb_uri=SecretStr(mongodb),
        redis_url=SecretStr(_redis),
        nats_url=SecretStr(f"nats://127.0.0.1:{free_port()}"),
        koinx_home=tmp_path_factory.mktemp("coin") / "home",
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KOINX_ENV_FILE", "")
        for name, value in settings.environment().items():
            patch.setenv(name, value)
        api = Api(settings)
        yield api
        api.close()


@pytest.fixture(scope="module")
def url(api: Api) -> Iterator[str]:
    server = start(create_app(api.url).server)
    yield f"http://127.0.0.1:{server.server_port}/"
    stop(server)


@pytest.fixture(scope="module")
def open_page(browser: Browser, url: str) -> Iterator[Page]:
    """One page for all tests, so that the scripts are loaded once."""
    with browser.new_context(base_url=url) as context:
        context.clock.install()
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        with checked(context.new_page(), url) as page:
            page.goto("/nowhere")
            yield page


@pytest.fixture
def page(open_page: Page) -> Page:
    open_page.set_viewport_size({"width": 1440, "height": 1000})
    open_page.emulate_media(color_scheme="light")
    return open_page


def led_to(page: Page, pathname: str, search: str = "") -> None:
    """As a link of the page does, without loading the scripts anew."""
    go = "to => window.dash_clientside.set_props('_pages_location', to)"
    expect(page.locator("main")).not_to_be_empty()
    page.evaluate(go, {"pathname": "/nowhere", "search": ""})
    expect(page.get_by_role("heading", level=1)).to_have_text("404 - Page not found")
    page.evaluate(go, {"pathname": pathname, "search": search})


def opened(page: Page, pathname: str = "/coin/bitcoin", search: str = "") -> Page:
    led_to(page, pathname, search)
    expect(page.locator("#coin-beat")).not_to_be_empty()
    return page


def traces(page: Page) -> dict[str, dict[str, Any]]:
    """The chart's named traces as plotly has them."""
    expect(page.locator("#coin-figure .main-svg").first).to_be_visible()
    found: list[dict[str, Any]] = page.evaluate(
        "document.querySelector('#coin-figure .js-plotly-plot').data.map(trace => ({"
        "name: trace.name, type: trace.type, mode: trace.mode, dash: trace.line?.dash,"
        "gaps: Array.from(trace.y || []).filter(value => value == null).length}))"
    )
    return {trace["name"]: trace for trace in found if trace["name"]}


def assert_statistics(page: Page, found: dict[str, Any]) -> None:
    for name in MONEY:
        cell = page.locator(f"#coin-value-{name}")
        expect(cell).to_have_text(fmt.price(found[name]))
        expect(cell).to_have_attribute("title", fmt.exact(found[name]))
    for name in ("coefficient_of_variation", "volatility_period", "volatility_year", "drawdown"):
        expect(page.locator(f"#coin-value-{name}")).to_have_text(fmt.share(found[name] * 100))
    for name in ("count", "expected", "gaps", "repaired"):
        expect(page.locator(f"#coin-evidence-{name}")).to_have_text(f"{found[name]:,}")
    for name in ("oldest", "newest"):
        moment = fmt.moment(datetime.fromisoformat(found[name]))
        expect(page.locator(f"#coin-evidence-{name}")).to_have_text(moment)
    expect(page.locator("#coin-evidence-source")).to_have_text("simulator")


def test_the_statistics_are_the_apis_recorded_first(page: Page, api: Api) -> None:
    opened(page)
    found = api.statistics()
    assert_statistics(page, found)
    assert found["count"] == RECORDED
    about = page.locator("#coin-statistics-about")
    expect(about).to_contain_text("Based on 5 of 100 live prices: too few to be reliable.")
    interval = page.locator("#coin-value-deviation_interval")
    expect(interval).to_have_text(f"n/a: {found['notes']['deviation_interval']}")
    page.get_by_role("group", name="Statistics based on").get_by_label("With repaired").check()
    expect(page.locator("#coin-evidence-repaired")).to_have_text(str(len(REPAIRED_SLOTS)))
    found = api.statistics(include="repaired")
    assert_statistics(page, found)
    ends = [fmt.price(found["deviation_interval"][end]) for end in ("low", "high")]
    expect(interval).to_have_text(" to ".join(ends))
    expect(page.locator("#coin-statistics-method")).to_contain_text("95% interval by circular")


def test_the_head_has_the_newest_price_and_its_time(page: Page) -> None:
    opened(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Bitcoin BIT")
    expect(page.locator("#coin-price")).to_have_text("$64,000.00")
    expect(page.locator("#coin-change")).to_have_text("▼ \N{MINUS SIGN}1.50 % in 24 h")
    expect(page.locator("#coin-as-of")).to_contain_text(re.compile(r"As of .* UTC"))
    expect(page.locator("#coin-fresh")).to_have_text("● fresh")
    expect(page.locator("#coin-simulated")).to_contain_text("Simulated market")


def test_gaps_are_breaks_and_repaired_stretches_are_dotted(page: Page, api: Api) -> None:
    opened(page)
    drawn = traces(page)
    assert drawn["repaired from history"]["dash"] == "dot"
    # Each stretch ends with a break: one before the gap, one after it.
    assert drawn["repaired from history"]["gaps"] == 2
    assert drawn["recorded"]["dash"] == "solid"
    band = api.statistics(include="repaired", window="24h")
    expect(page.locator("#coin-figure .legendtext").first).to_have_text(
        f"mean ± one deviation, {fmt.price(band['deviation'])}"
    )
    expect(page.locator("#coin-figure-text")).to_contain_text(
        f"80 points, {len(REPAIRED_SLOTS)} of them repaired from history (dotted). 1 gap, shown as"
    )
    assert page.locator(".modebar, .rangeslider-container").count() == 0
    page.get_by_text("Chart data as a table").click()
    expect(page.locator("#coin-rows .ag-row").first).to_contain_text("recorded")
    page.get_by_label("Candles").check()
    expect(page.locator("#coin-figure-text")).to_contain_text("candles of 1h")
    assert "with repaired prices (faint)" in traces(page)
    assert page.locator(".rangeslider-container").count() == 0


def test_a_link_shows_the_same(page: Page) -> None:
    opened(page)
    page.get_by_label("7 d").check()
    page.get_by_label("Log").check()
    page.get_by_role("group", name="Prices").get_by_label("Recorded").check()
    expect(page).to_have_url(
        re.compile(r"/coin/bitcoin\?range=7d&kind=line&scale=log&include=recorded&statistics=reco")
    )
    expect(page.locator("#coin-figure-text")).to_contain_text("the last 7 days")
    page.reload()
    expect(page.get_by_label("7 d")).to_be_checked()
    expect(page.get_by_label("Log")).to_be_checked()
    expect(page.locator("#coin-figure-text")).to_contain_text("5 points, 0 of them repaired")
    assert "repaired from history" not in traces(page)
    opened(page, search="?range=nonsense&x=1")
    expect(page.get_by_label("24 h")).to_be_checked()


def test_a_finished_update_shows_and_what_is_open_stays_open(page: Page, store: QuoteStore) -> None:
    opened(page)
    fold = page.locator("#coin-rows-fold")
    fold.locator("summary").click()
    expect(fold.locator(".ag-row").first).to_be_visible()
    page.evaluate("window.neverReloaded = document.querySelector('#coin-rows-fold')")
    known: dict[str, Any] = {
        "volume_24h": 2e10,
        "market_cap": 1.2e12,
        "change_24h": -1.5,
        "rank": 1,
    }
    keep(store, quote("bitcoin", 64_999.5, **known))
    page.clock.run_for(INTERVAL_MS + 500)
    expect(page.locator("#coin-price")).to_have_text("$64,999.50")
    expect(page.locator("#coin-value-max")).to_have_text("$64,999.50")
    expect(fold.locator(".ag-row[row-index='0']")).to_contain_text("$64,999.50")
    assert page.evaluate("document.querySelector('#coin-rows-fold') === window.neverReloaded")
    assert fold.evaluate("fold => fold.open")


def test_a_hidden_page_asks_nothing_until_it_is_seen_again(page: Page) -> None:
    opened(page)
    traces(page)
    asked: list[str] = []
    hide = "Object.defineProperty(document, 'hidden', {value: %s, configurable: true});"
    announce = "document.dispatchEvent(new Event('visibilitychange'))"
    expect(page.locator("#coin-choices option")).not_to_have_count(0)
    page.evaluate(hide % "true" + announce)
    page.on("request", lambda request: asked.append(request.url))
    page.clock.run_for(10 * INTERVAL_MS)
    assert asked == []
    with page.expect_request("**/_dash-update-component*"):
        page.evaluate(hide % "false" + announce)


def test_numbers_from_before_an_outage_do_not_look_new(page: Page, api: Api) -> None:
    opened(page)
    expect(page.locator("#coin-age")).to_be_visible()
    api.down()
    try:
        page.clock.run_for(INTERVAL_MS)
        alert = page.locator("#coin-alert")
        expect(alert).to_contain_text(f"The API at {api.url} does not answer.")
        expect(alert).to_contain_text("Showing the last known data")
        expect(page.locator("#coin-age")).to_be_hidden()
        expect(page.get_by_text("? age unknown")).to_be_visible()
        opened(page)
        expect(page.locator("#coin-alert")).to_contain_text("Start it with ./koinx start api")
        expect(page.locator("#coin-data")).to_be_hidden()
    finally:
        api.up()
    page.clock.run_for(INTERVAL_MS)
    expect(page.locator("#coin-alert")).to_be_hidden()
    expect(page.locator("#coin-data")).to_be_visible()


@pytest.mark.parametrize(
    ("path", "said", "link"),
    [
        ("/coin/nonsense", "There is no coin 'nonsense'. The Market page lists", "Go to Market"),
        (
            "/coin/ethereum",
            "No quotes of ethereum stored yet. Press Refresh now on the Market page",
            "",
        ),
        (
            "/coin/matic-network",
            "matic-network was replaced by polygon-ecosystem-token.",
            "polygon-ecosystem-token",
        ),
    ],
)
def test_without_data_the_page_says_why_and_what_next(
    page: Page, path: str, said: str, link: str
) -> None:
    opened(page, path)
    expect(page.locator("#coin-alert")).to_contain_text(said)
    expect(page.locator("#coin-alert-link")).to_have_text(link)
    expect(page.locator("#coin-data")).to_be_hidden()


def test_each_row_and_card_of_market_and_the_search_lead_to_a_coin(page: Page) -> None:
    led_to(page, "/")
    row = page.locator(".ag-row", has_text="An Odd").get_by_role("link")
    expect(row).to_have_attribute("href", f"/coin/{quoted(ODD, safe='')}")
    card = page.locator("#market-card-0-name")
    expect(card).to_have_attribute("href", "/coin/bitcoin")
    row.click()
    expect(page.locator("#coin-price")).to_have_text("$0.0₅123")
    page.keyboard.press("/")
    expect(page.get_by_label("Go to coin")).to_be_focused()
    page.keyboard.type("bitcoin")
    page.keyboard.press("Enter")
    expect(page.locator("#coin-name")).to_have_text("Bitcoin BIT")
    expect(page).to_have_url(re.compile("/coin/bitcoin"))
    page.go_back()
    expect(page.locator("#coin-price")).to_have_text("$0.0₅123")
    page.get_by_role("link", name="Coin", exact=True).click()
    expect(page.locator("#coin-name")).to_have_text("Bitcoin BIT")


def test_the_numbers_as_a_file_and_as_requests(page: Page, api: Api, url: str) -> None:
    opened(page)
    expect(page.locator("#coin-rows")).to_have_count(1)
    link = page.get_by_role("link", name="Download these quotes as CSV")
    expect(link).to_have_attribute("href", re.compile("/coin-csv/bitcoin"))
    answer = requests.get(f"{url}{link.get_attribute('href')}", timeout=10)
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert {row["coin"] for row in rows} == {"bitcoin"}
    assert len(rows) == api.statistics(include="repaired", records="1000")["count"]
    page.get_by_text("Statistics API request").click()
    page.get_by_role("button", name="Copy as curl: Statistics API request").click()
    expect(page.get_by_text("Copied.")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    program, address = shlex.split(copied)
    assert program == "curl"
    assert requests.get(address, timeout=10).json()["mean"] == api.statistics()["mean"]


def test_the_page_is_well_formed(page: Page) -> None:
    opened(page)
    assert page.locator("main").count() == 1
    assert page.get_by_role("heading", level=1).count() == 1
    for name in ("Range", "Chart type", "Scale", "Prices", "Statistics based on"):
        expect(page.get_by_role("group", name=name, exact=True)).to_be_visible()
    expect(page.get_by_role("combobox", name="Go to coin /")).to_be_visible()
    expect(page.get_by_role("img", name="Price over time")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_needs_no_sideways_scrolling(page: Page, scheme: Any) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.emulate_media(color_scheme=scheme)
    opened(page)
    traces(page)
    for fold in page.locator("#coin-page details summary").all():
        fold.click()
    assert page.evaluate("document.documentElement.scrollWidth") == 390
