"""Twelve recorded pages, one update each: what is stored is what the files say."""

import json
import statistics
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database

from market.analytics.statistics import deviation, rounded
from market.ingest.outlier_filter import OutlierFilter
from market.ingest.run_update import Outcome, UpdateContext, run_update
from market.ledger.lease import Lease
from market.ledger.ledger import Ledger
from market.schedule.slots import Schedule
from market.sources.coingecko import CoinGecko
from market.storage.database import Document
from market.storage.quote_store import QuoteStore
from settings import parse_coins
from simulator.app import create_simulator
from simulator.replay import Replay
from simulator.server import serving
from tests.harness.recorded_pages import PAGES, write_pages
from tests.harness.recordings import COINGECKO

PATTERN = "markets_usd_page1_2025-12-14T*_run.json"


@pytest.fixture(params=["recorded", "simulated"])
def pages(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder with twelve pages."""
    if request.param == "simulated":
        write_pages(tmp_path)
        return tmp_path
    return COINGECKO


@pytest.fixture
def replayed(pages: Path) -> Iterator[CoinGecko]:
    with serving(create_simulator(Replay(pages, PATTERN))) as url:
        source = CoinGecko(url)
        yield source
        source.close()


def test_twelve_updates_store_what_twelve_pages_say(
    pages: Path,
    replayed: CoinGecko,
    ledger: Ledger,
    store: QuoteStore,
    database: Database[Document],
) -> None:
    # Given what the files say: of a coin's rows of the same moment the first stands
    files = sorted(pages.glob(PATTERN))
    assert len(files) == PAGES
    series: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
    new, asked = [], []
    for file in files:
        rows = json.loads(file.read_bytes())
        asked.append(len(rows))
        moved = [row for row in rows if row["last_updated"] not in series[row["id"]]]
        for row in moved:
            series[row["id"]][row["last_updated"]] = row
        new.append(len(moved))
    assert len(series) < sum(new) < sum(asked)  # some rows stood still

    # When
    outcomes = []
    for number in range(PAGES):
        ledger.receive(f"page-{number}", trigger="event", slot=None, hops={})
        claim = ledger.claim(f"page-{number}", "worker", datetime.now(UTC))
        assert claim is not None
        with Lease(ledger, claim) as lease:
            outcomes.append(
                run_update(
                    lease,
                    UpdateContext(
                        ledger=ledger,
                        store=store,
                        outlier_filter=OutlierFilter(database),
                        source=replayed,
                        schedule=Schedule("*/15 * * * *"),
                        selection=parse_coins("top:100"),
                        currency="usd",
                        label="replay",
                    ),
                )
            )

    # Then every quote is there once, and each update says how many were new
    assert outcomes == [Outcome("done", count) for count in new]
    assert [ledger.get(f"page-{n}")["counts"]["unchanged"] for n in range(PAGES)] == [  # type: ignore[index]
        given - count for given, count in zip(asked, new, strict=True)
    ]
    assert database["quotes"].count_documents({}) == sum(new)
    latest = store.latest().coins
    assert set(latest) == set(series)
    for coin, by_time in series.items():
        newest = max(by_time)
        stored = store.newest(coin)
        # ... the newest is the file's
        for found, at in ((stored[0], stored[0]["_id"]["at"]), (latest[coin], latest[coin]["at"])):
            assert at == datetime.fromisoformat(newest)
            assert (found["price"], found["market_cap"], found["volume_24h"]) == (
                by_time[newest]["current_price"],
                by_time[newest]["market_cap"],
                by_time[newest]["total_volume"],
            )
            assert found["change_24h"] == by_time[newest]["price_change_percentage_24h"]
        # ... and so is the deviation
        prices = [by_time[at]["current_price"] for at in sorted(by_time, reverse=True)]
        assert [quote["price"] for quote in stored] == prices
        expected = statistics.pstdev(prices)
        found_deviation = deviation([quote["price"] for quote in stored])
        assert found_deviation == pytest.approx(expected, rel=1e-9, abs=1e-15)
        assert rounded(found_deviation) == pytest.approx(rounded(expected), rel=1e-5, abs=0.01)
