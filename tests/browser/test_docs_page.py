"""The Docs page in a real browser; it needs no API."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from bench.harness.browser import checked
from dash_ui.app import create_app
from dash_ui.pages.docs.page import GUIDES
from tests.harness.web_server import start, stop

API = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    server = start(create_app(API).server)
    yield f"http://127.0.0.1:{server.server_port}/"
    stop(server)


@pytest.fixture(scope="module")
def page(browser: Browser, url: str) -> Iterator[Page]:
    with browser.new_context(base_url=url) as context, checked(context.new_page(), url) as page:
        page.set_viewport_size({"width": 1440, "height": 900})
        page.goto("/guide")
        yield page


def test_the_navigation_leads_to_the_readme_with_its_picture(page: Page) -> None:
    page.goto("/guide/api")
    page.get_by_role("link", name="Docs", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(["KoinX"])
    expect(page).to_have_title("Docs · KoinX")
    expect(page.get_by_role("link", name="Docs", exact=True)).to_have_class(re.compile("active"))
    picture = page.get_by_role("img", name="The dashboard")
    expect(picture).to_be_visible()
    page.wait_for_load_state("load")
    expect(picture).to_have_js_property("complete", value=True)
    assert picture.evaluate("image => image.naturalWidth") > 1000


def test_each_guide_has_an_address_and_links_between_them_work(page: Page) -> None:
    page.goto("/guide")
    contents = page.get_by_role("navigation", name="Guides")
    for guide in GUIDES.all()[1:]:
        contents.get_by_role("link", name=guide.title, exact=True).click()
        expect(page).to_have_url(re.compile(f"/guide/{guide.name}$"))
        expect(page.get_by_role("heading", level=1)).to_have_text([guide.title])
        expect(contents.locator("[aria-current=page]")).to_have_text(guide.title)
    page.goto("/guide/api")
    page.locator("article").get_by_role("link", name="History").first.click()
    expect(page).to_have_url(re.compile("/guide/history$"))
    expect(page.get_by_role("heading", level=1)).to_have_text([GUIDES.read("history").title])
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text([GUIDES.read("api").title])


def test_the_api_explorer_is_linked(page: Page) -> None:
    link = page.get_by_role("link", name="API explorer")
    expect(link).to_have_attribute("href", f"{API}/docs")


def test_an_address_with_an_anchor_opens_there(page: Page) -> None:
    page.goto("about:blank")
    page.goto("/guide#settings")
    heading = page.get_by_role("heading", name="Settings", exact=True)
    expect(heading).to_be_in_viewport()
    contents = page.get_by_role("navigation", name="Guides")
    contents.get_by_role("link", name="Read on").click()
    expect(page).to_have_url(re.compile("#read-on$"))
    expect(page.get_by_role("heading", name="Read on")).to_be_in_viewport()
    expect(heading).not_to_be_in_viewport()


def test_a_guide_that_is_not_there_is_named(page: Page) -> None:
    page.goto("/guide/nothing")
    expect(page.get_by_role("heading", level=1)).to_have_text(["Unknown guide"])
    expect(page.get_by_text("There is no guide named 'nothing'.")).to_be_visible()


@pytest.mark.parametrize("guide", [guide.name for guide in GUIDES.all()])
def test_a_phone_needs_no_sideways_scrolling(page: Page, guide: str) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"/guide/{guide}")
    expect(page.get_by_role("heading", level=1)).to_have_text([GUIDES.read(guide).title])
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    for box in page.locator(".guide-table").all():
        # It is the box that scrolls, with room for the words in each column.
        assert box.evaluate("e => getComputedStyle(e).overflowX") == "auto"
        widths = box.evaluate("e => [...e.querySelectorAll('td')].map(cell => cell.offsetWidth)")
        assert min(widths) > 120
    page.set_viewport_size({"width": 1440, "height": 900})
