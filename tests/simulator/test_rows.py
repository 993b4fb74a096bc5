"""Rows of the made-up market: of their moment, and shaped as CoinGecko's."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.market import Market
from simulator.prices import CURRENCIES
from simulator.query import Query
from simulator.rounding import figure
from simulator.timestamps import DAY, HOUR, MINUTE, SECOND, iso

NOW = 1_795_383_000_123
RECORDED = Path(__file__).parents[3] / "shared" / "data" / "coingecko"
DAY_FIELDS = (
    "high_24h",
    "low_24h",
    "price_change_24h",
    "price_change_percentage_24h",
    "market_cap_change_24h",
    "market_cap_change_percentage_24h",
)
MARKET = Market()


def _recorded(name: str) -> Any:
    path = RECORDED / name
    if not path.exists():
        pytest.skip(f"no recorded reply {name}")
    return json.loads(path.read_bytes())


@settings(deadline=None)
@given(st.integers(0, 4 * 10**12), st.integers(0, 299), st.sampled_from(sorted(CURRENCIES)))
def test_a_row_is_never_of_the_future_and_its_price_is_that_of_its_time(
    now: int, place: int, currency: str
) -> None:
    coin = MARKET.coins[place]
    at = MARKET.last_updated(coin, now)
    row = MARKET.row(coin, now, currency)
    assert at <= now
    assert row["last_updated"] == iso(at)
    assert row["current_price"] == figure(MARKET.price(coin, at, currency))
    if row["ath"] is not None:
        assert row["atl"] <= row["current_price"] <= row["ath"]


@settings(deadline=None)
@given(st.integers(10**12, 2 * 10**12), st.integers(0, 2 * MINUTE))
def test_the_same_last_updated_has_the_same_price(now: int, later: int) -> None:
    market = Market(coins=3, cadence=60)
    first, second = (market.row(market.coins[0], at) for at in (now, now + later))
    same = first["last_updated"] == second["last_updated"]
    assert not same or first == second
    assert same or later > 0


def test_rows_change_once_in_a_cadence_and_not_all_at_once() -> None:
    market = Market(coins=50, cadence=10)
    coin = market.coins[0]
    seen = {market.last_updated(coin, NOW + s * SECOND) for s in range(100)}
    assert len(seen) in {10, 11}
    assert len({market.last_updated(c, NOW) % 10_000 for c in market.coins}) > 40


def test_the_day_change_is_the_price_against_the_price_a_day_before() -> None:
    coin = MARKET.coins[0]
    at = MARKET.last_updated(coin, NOW)
    change = MARKET.price(coin, at) / MARKET.price(coin, at - DAY) - 1
    row = MARKET.row(coin, NOW)
    assert row["price_change_percentage_24h"] == pytest.approx(change * 100, abs=1e-5)
    day = [figure(MARKET.price(coin, at - k * 10 * MINUTE)) for k in range(145)]
    assert min(day) <= row["low_24h"] <= row["current_price"] <= row["high_24h"] <= max(day) * 1.01
    eur = MARKET.row(coin, NOW, "eur")
    assert eur["high_24h"] == pytest.approx(row["high_24h"] * 0.86, rel=1e-4)


def test_the_top_is_fresh_and_complete() -> None:
    rows = MARKET.markets(Query(per_page=100), NOW)
    assert [row["market_cap_rank"] for row in rows] == list(range(1, 101))
    for row in rows:
        assert row["last_updated"] > iso(NOW - 2 * SECOND)
        missing = {key for key, value in row.items() if value is None}
        assert missing <= {"max_supply", "roi"}
    ids = {row["id"] for row in rows}
    assert {"bitcoin", "ethereum", "tether", "polygon-ecosystem-token"} <= ids
    assert MARKET.coin("matic-network") is None


def test_the_day_fields_are_null_exactly_when_a_row_is_a_day_behind() -> None:
    aged = 0
    rows = Market(coins=2_000).markets(Query(per_page=2_000), NOW)
    for row in rows:
        old = row["last_updated"] < iso(NOW - DAY)
        aged += old
        assert {row[name] is None for name in DAY_FIELDS} == {old}
    stale = sum(row["last_updated"] < iso(NOW - HOUR) for row in rows)
    assert 0 < aged < stale < 200


def test_rows_have_the_recorded_keys_in_the_recorded_order() -> None:
    recorded = _recorded("markets_usd_page1_2026-07-02T015026Z_run.json")
    assert list(MARKET.row(MARKET.coins[0], NOW)) == list(recorded[0])
    changed = _recorded("markets_usd_3ids_24h_7d_2026-06-08.json")
    rows = MARKET.markets(Query(changes=("7d", "24h")), NOW)
    assert list(rows[0]) == list(changed[0])


def test_fields_have_only_recorded_types() -> None:
    types: dict[str, set[type]] = {}
    if not RECORDED.exists():
        pytest.skip(f"no recorded replies in {RECORDED}")
    for path in sorted(RECORDED.glob("markets_*.json")):
        for row in json.loads(path.read_bytes()):
            for key, value in row.items():
                types.setdefault(key, set()).add(type(value))
    # New coins without a highest price are known, but none was recorded.
    new = {"ath", "ath_change_percentage", "ath_date", "atl", "atl_change_percentage", "atl_date"}
    for row in Market(coins=2_000).markets(Query(per_page=2_000), NOW):
        for key, value in row.items():
            if not (value is None and key in new):
                assert type(value) in types[key], (row["id"], key, value)


def test_five_thousand_rows_of_an_instant_are_quick_when_asked_for_again() -> None:
    market = Market(coins=5_010)
    query = Query(per_page=5_000)
    market.markets(query, NOW)
    took = []
    for _ in range(3):
        start = time.perf_counter()
        assert len(market.markets(query, NOW)) == 5_000
        took.append(time.perf_counter() - start)
    assert min(took) < 0.1
