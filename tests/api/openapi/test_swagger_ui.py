"""The explorer in a real browser: every operation can be tried as it is filled in."""

from collections.abc import Iterator

import pytest
from flask import Flask
from playwright.sync_api import Browser, Locator, Page, expect
from pydantic import SecretStr

from api.openapi.spec import operations
from api.protection.auth import KEY_HEADER
from bench.harness.browser import checked
from bench.harness.services import keep, quote
from market.storage.quote_store import QuoteStore
from settings import Settings
from tests.harness.api_server import consuming, serving, update_twice
from tests.harness.slot_arrival import the_slot_is_in

KEY = "a key of the explorer's test"

# Clicks through all operations, and gives the status of each; one by one is quicker than to have
# all of them open. What streams is still at it when the others are done.
EXECUTE_ALL = """async () => {
  const found = async (block, selector) => {
    for (let tries = 0; tries < 1000; tries++) {
      const element = block.querySelector(selector);
      if (element) return element;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    throw new Error(`no ${selector} in ${block.innerText}`);
  };
  const answers = {};
  for (const block of document.querySelectorAll(".opblock")) {
    const summary = block.querySelector(".opblock-summary-control");
    const method = block.querySelector(".opblock-summary-method").innerText.toLowerCase();
    const path = block.querySelector(".opblock-summary-path").dataset.path;
    summary.click();
    (await found(block, ".try-out__btn")).click();
    (await found(block, ".execute")).click();
    const answer = found(block, ".live-responses-table tbody .response-col_status");
    answers[`${method} ${path}`] = answer.then((cell) => cell.innerText.trim());
    const pause = new Promise((resolve) => setTimeout(resolve, 1000));
    if (await Promise.race([answer.then(() => true), pause])) summary.click();
  }
  for (const name in answers) answers[name] = await answers[name];
  return answers;
}"""


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"api_key": SecretStr(KEY)})


@pytest.fixture
def url(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The API with two updates, over HTTP."""
    with consuming(app, monkeypatch), serving(app) as url:
        update_twice(url)
        yield url


@pytest.fixture
def page(browser: Browser, url: str) -> Iterator[Page]:
    with (
        browser.new_context(base_url=url) as context,
        checked(context.new_page(), url) as page,
    ):
        page.goto("/docs")
        expect(page.locator(".opblock").first).to_be_visible()
        yield page


def authorize(page: Page) -> None:
    page.locator(".scheme-container button.authorize").click()
    page.locator(".auth-container input").fill(KEY)
    page.locator(".auth-container button.authorize").click()
    page.locator(".auth-container button.btn-done").click()


def execute(block: Locator) -> None:
    block.locator(".opblock-summary-control").click()
    block.get_by_role("button", name="Try it out").click()
    block.get_by_role("button", name="Execute").click()


def test_every_operation_answers_as_it_is_filled_in(app: Flask, page: Page) -> None:
    sent: list[tuple[str, str | None]] = []
    header = KEY_HEADER.lower()
    page.on("request", lambda one: sent.append((one.method, one.headers.get(header))))
    authorize(page)
    answers = page.evaluate(EXECUTE_ALL)
    document = app.test_client().get("/openapi.json").get_json()
    assert set(answers) == {f"{method} {path}" for path, method, _ in operations(document)}
    assert {what: code for what, code in answers.items() if not code.startswith("2")} == {}
    keys = [key for method, key in sent if method == "POST"]
    assert keys == [KEY] * sum(method == "post" for _, method, _ in operations(document))


def test_a_call_shows_what_is_so_now(app: Flask, page: Page, store: QuoteStore) -> None:
    the_slot_is_in(app)
    ask = "fetch('/stats?coin=bitcoin').then((answer) => answer.json())"
    before = page.evaluate(ask)
    keep(store, quote("bitcoin", 123456.789))
    assert page.evaluate(ask) == before  # the browser keeps it to the next slot
    block = page.locator("#operations-stats-getStats")
    execute(block)
    expect(block.locator(".live-responses-table .highlight-code")).to_contain_text("123456.789")


def test_inline_scripts_are_refused(url: str, browser: Browser) -> None:
    with browser.new_context(base_url=url) as context:
        page = context.new_page()
        page.goto("/docs")
        page.evaluate(
            "const script = document.createElement('script');"
            "script.textContent = 'window.inlineRan = true'; document.head.append(script)"
        )
        assert page.evaluate("window.inlineRan") is None
