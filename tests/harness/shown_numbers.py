"""The numbers that a page shows, held against the API's, to the digits that are shown."""

from typing import Any

import requests
from playwright.sync_api import Page, expect

from bench.harness.services import wait_until
from dash_ui.components import format as fmt
from dash_ui.pages.coin.statistics import MONEY, SHARES

CELLS = """() => Object.fromEntries(
    [...document.querySelectorAll(".ag-center-cols-container .ag-row")].map((row) => [
        row.getAttribute("row-id"),
        Object.fromEntries([...row.querySelectorAll("[col-id]")].map((cell) => [
            cell.getAttribute("col-id"), [cell.textContent, cell.getAttribute("title")]]))]))"""
NAMED = ("price", "change", "cap", "share")


def assert_market(page: Page, api: str) -> int:
    """Every coin's numbers in the table; how many coins there were."""
    # As high as all rows are: the table makes those that can be seen.
    page.set_viewport_size({"width": 1440, "height": 8000})
    page.goto("/")
    coins = answer(api, "/v1/coins?page_size=250")
    expect(page.locator(".ag-center-cols-container .ag-row")).to_have_count(len(coins))
    shown = wait_until(lambda: _whole(page.evaluate(CELLS)), "each row to have its cells")
    for coin in coins:
        cells = {name: shown[coin["id"]][name] for name in NAMED}
        assert cells == {
            "price": [fmt.price(coin["price"]), fmt.exact(coin["price"])],
            "change": [fmt.change(coin["change_24h"]), _percent(coin["change_24h"])],
            "cap": [fmt.big(coin["market_cap"]), fmt.exact(coin["market_cap"])],
            "share": [_share(coin), fmt.exact(coin["deviation"])],
        }, coin["id"]
    return len(coins)


def assert_coin(page: Page, api: str, id: str) -> None:
    """One coin's head and statistics."""
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto(f"/coin/{id}")
    coin = answer(api, f"/v1/coins/{id}")
    found = answer(api, f"/v1/coins/{id}/statistics")
    expect(page.locator("#coin-price")).to_have_text(fmt.price(coin["price"]))
    expect(page.locator("#coin-price")).to_have_attribute("title", fmt.exact(coin["price"]))
    expect(page.locator("#coin-change")).to_have_text(f"{fmt.change(coin['change_24h'])} in 24 h")
    more = page.locator("#coin-more")
    expect(more).to_contain_text(f"cap {fmt.big(coin['market_cap'])}")
    expect(more).to_contain_text(f"24 h volume {fmt.big(coin['volume_24h'])}")
    for name in MONEY:
        if found[name] is not None:
            expect(page.locator(f"#coin-value-{name}")).to_have_text(fmt.price(found[name]))
    for name in SHARES:
        if found[name] is not None:
            text = fmt.share(found[name] * 100)
            expect(page.locator(f"#coin-value-{name}")).to_have_text(text)
    for name in ("count", "expected", "gaps", "repaired"):
        expect(page.locator(f"#coin-evidence-{name}")).to_have_text(f"{found[name]:,}")


def answer(api: str, path: str) -> Any:
    """The JSON of an answer that is no error."""
    with requests.get(f"{api}{path}", timeout=10) as found:
        assert found.ok, found.text
        return found.json()


def _whole(rows: dict[str, dict[str, list[str]]]) -> dict[str, dict[str, list[str]]] | None:
    """The rows, once each has all cells: the table makes them one by one."""
    return rows if all(set(NAMED) <= set(cells) for cells in rows.values()) else None


def _percent(change: float | None) -> str:
    return fmt.MISSING if change is None else f"{change} %"


def _share(coin: dict[str, Any]) -> str:
    share = fmt.share_of(coin["deviation"], coin["price"])
    return fmt.share(share) + ("" if share is None else fmt.evidence(coin["deviation_count"]))
