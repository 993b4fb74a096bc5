"""Recorded pages through a whole system, compared with a calculation of its own from the files."""

import json
import shutil
import statistics
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser

from bench.harness.browser import checked
from bench.harness.services import SimulatorControl, wait_until
from bench.harness.system import running
from simulator.app import create_simulator
from simulator.market import Market
from simulator.server import serving
from tests.harness import shown_numbers
from tests.harness.recordings import COINGECKO, WHOLE

PAGES = 12
PATTERN = "markets_usd_page1_2025-12-14T*_run.json"
Row = dict[str, Any]


def recorded(folder: Path) -> list[list[Row]]:
    """The twelve recorded pages, copied to `folder`."""
    files = sorted(COINGECKO.glob(PATTERN))
    assert len(files) == PAGES
    for file in files:
        shutil.copy(file, folder)
    return [json.loads(file.read_bytes()) for file in files]


def simulated(folder: Path) -> list[list[Row]]:
    """Twelve pages of the simulator, two of whose coins stand still."""
    pages = []
    with serving(create_simulator(Market(seed=5, coins=120))) as url:
        simulator = SimulatorControl(url)
        simulator.fault("frozen", coin="bitcoin")
        for number in range(PAGES):
            if number == 6:
                simulator.fault("frozen", coin="ethereum")
            query = {"vs_currency": "usd", "per_page": "100"}
            page = requests.get(f"{url}/coins/markets", params=query, timeout=5).json()
            (folder / f"markets_{number:02}.json").write_text(json.dumps(page))
            pages.append(page)
            before = {row["id"]: row["last_updated"] for row in page}["solana"]
            wait_until(lambda before=before: _moved(url, before), "another price")  # type: ignore[misc]
    return pages


def _moved(url: str, before: str) -> bool:
    query = {"vs_currency": "usd", "ids": "solana"}
    row = requests.get(f"{url}/coins/markets", params=query, timeout=5).json()[0]
    return bool(row["last_updated"] != before)


# The simulator's pages stand in where the recorded ones are excerpts.
@pytest.mark.parametrize("make", [recorded if WHOLE else simulated])
def test_every_quote_once_and_every_answer_as_calculated(
    make: Any, tmp_path: Path, browser: Browser
) -> None:
    folder = tmp_path / "pages"
    folder.mkdir()
    pages = make(folder)
    # Given by time, the first seen of each (coin, last_updated) stands.
    series: dict[str, dict[str, Row]] = defaultdict(dict)
    for page in pages:
        for row in page:
            series[row["id"]].setdefault(row["last_updated"], row)

    home = tmp_path / "home"
    with (
        running(home, "--replay", str(folder), COINS="top:100") as system,
        requests.Session() as session,
    ):
        for _ in range(PAGES):
            answer = session.post(f"{system.api}/trigger-update", timeout=10)
            assert answer.ok, answer.text

        updates = session.get(f"{system.api}/v1/updates?page_size=100").json()
        assert {update["state"] for update in updates} == {"done"}
        stored = sum(update["counts"]["stored"] for update in updates)
        assert stored == sum(len(rows) for rows in series.values())

        for coin, rows in series.items():
            newest = rows[max(rows)]
            stats = session.get(f"{system.api}/stats", params={"coin": coin}).json()
            assert stats == {
                "price": newest["current_price"],
                "marketCap": newest["market_cap"],
                "24hChange": newest["price_change_percentage_24h"],
            }
            expected = statistics.pstdev(row["current_price"] for row in rows.values())
            expected = round(expected, 2) if expected >= 1 else float(f"{expected:.6g}")
            found = session.get(f"{system.api}/deviation", params={"coin": coin}).json()
            assert found == {"deviation": pytest.approx(expected, rel=1e-9)}
        assert session.get(f"{system.api}/v1/coins/bitcoin").json()["source"] == "replay"

        with (
            browser.new_context(base_url=system.dash) as context,
            checked(context.new_page(), system.dash) as page,
        ):
            system.let_in(context)
            assert shown_numbers.assert_market(page, system.api) >= len(series)
            shown_numbers.assert_coin(page, system.api, "bitcoin")
            shown_numbers.assert_coin(page, system.api, "tether")
