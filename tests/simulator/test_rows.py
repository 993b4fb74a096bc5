"""Rows of the made-up market: of their moment, and shaped as CoinGecko's."""

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.coins import coins_of
from simulator.market import Market
from simulator.prices import CURRENCIES
from simulator.rows import (
    Query,
    Row,
    paprika_coin,
    round_amount,
    round_price,
    round_supply,
    round_to_precision,
    row_template,
    six_digits,
    ticker,
)
from simulator.timestamps import DAY, HOUR, MINUTE, SECOND, iso
from tests.harness.coinpaprika import TICKER
from tests.harness.recordings import COINGECKO

NOW = 1_795_383_000_123
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
    return json.loads((COINGECKO / name).read_bytes())


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
    assert row["current_price"] == round_price(MARKET.price(coin, at, currency))
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
    day = [round_price(MARKET.price(coin, at - k * 10 * MINUTE)) for k in range(145)]
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
    for path in sorted(COINGECKO.glob("markets_*.json")):
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


MOVING = {
    "current_price",
    "fully_diluted_valuation",
    "high_24h",
    "low_24h",
    "price_change_24h",
    "price_change_percentage_24h",
    "market_cap_change_24h",
    "market_cap_change_percentage_24h",
    "ath_change_percentage",
    "atl_change_percentage",
    "last_updated",
}


def _template(coin_id: str) -> Row:
    (coin,) = (coin for coin in coins_of(1, 300) if coin.id == coin_id)
    return row_template(coin, (0.5, 20_000.6), "eur")


def test_what_moves_is_left_open() -> None:
    row = _template("bitcoin")
    assert {key for key in MOVING if row[key] is None} == MOVING
    assert (row["market_cap_rank"], row["atl"], row["ath"]) == (1, 0.5, 20_001)
    assert row["circulating_supply"] <= row["total_supply"]


def test_a_new_coin_has_no_highest_and_no_lowest_price() -> None:
    row = _template("first-light")
    assert {row[key] for key in ("ath", "ath_date", "atl", "atl_date")} == {None}


def test_a_coin_without_a_market_cap_has_no_supply() -> None:
    coin = next(coin for coin in coins_of(1, 300) if coin.supply and not coin.cap)
    row = row_template(coin, (1, 2), "usd")
    assert (row["circulating_supply"], row["total_supply"], row["max_supply"]) == (0.0, None, None)


def test_a_return_is_in_the_currency_of_the_row() -> None:
    rows = [row_template(coin, (1, 2), "eur") for coin in coins_of(1, 300)]
    assert {row["roi"]["currency"] for row in rows if row["roi"]} == {"eur"}


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (95_123.7, "95124"),
        (9_999.126, "9999.13"),
        (1.106, "1.11"),
        (1.0546, "1.055"),
        (1.00046, "1.0"),
        (0.123456789, "0.123457"),
        (0.00000000020412345, "2.04123e-10"),
    ],
)
def test_a_price_is_whole_from_10_000_and_has_six_digits_below_1(value: float, shown: str) -> None:
    assert repr(round_price(value)) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(-1_000.4, "-1000"), (1_890_000_000_000.2, "1890000000000"), (999.123456, "999.123")],
)
def test_an_amount_is_whole_from_1_000(value: float, shown: str) -> None:
    assert repr(round_amount(value)) == shown


@pytest.mark.parametrize(
    ("precision", "price"),
    [("full", 1.23456789), ("3", 1.235), ("0", 1.0), ("99", 1.23456789), ("x", 1.23), (None, 1.23)],
)
def test_a_precision_asked_for_is_kept(precision: str | None, price: float) -> None:
    assert round_to_precision(1.23456789, precision) == price


def test_six_digits_stand_wherever_the_point_is() -> None:
    assert [six_digits(v) for v in (-123.4567891, 1234567.8)] == [-123.457, 1_234_570.0]


@pytest.mark.parametrize(
    ("supply", "picked", "shown"),
    [(21.4, 3, "21"), (21.4, 4, "21.4"), (2.0**60, 3, "1.15292150460685e+18")],
)
def test_a_supply_is_whole_for_a_third_that_can_be(supply: float, picked: int, shown: str) -> None:
    assert repr(round_supply(supply, picked)) == shown


def test_a_ticker_says_what_the_row_says() -> None:
    row = MARKET.row(MARKET.coins[0], NOW)
    made = ticker(row, "usd")
    assert made["id"] == "btc-bitcoin"
    assert (made["name"], made["symbol"], made["rank"]) == ("Bitcoin", "BTC", 1)
    assert made["last_updated"] == row["last_updated"][:19] + "Z"
    assert made["quotes"]["USD"] == {
        "price": row["current_price"],
        "volume_24h": row["total_volume"],
        "market_cap": row["market_cap"],
        "percent_change_24h": row["price_change_percentage_24h"],
    }
    assert set(made) == set(TICKER)


def test_every_coin_has_a_ticker() -> None:
    for coin in MARKET.coins:
        assert ticker(MARKET.row(coin, NOW, "eur"), "eur")["quotes"].keys() == {"EUR"}


def test_every_coin_is_listed_under_the_id_of_its_ticker() -> None:
    ids = {one["id"]: paprika_coin(one, active=True) for one in MARKET.listing()}
    assert ids["bitcoin"] == {
        "id": "btc-bitcoin",
        "name": "Bitcoin",
        "symbol": "BTC",
        "rank": 0,
        "is_new": False,
        "is_active": True,
        "type": "coin",
    }
    for coin in MARKET.coins:
        row = ticker(MARKET.row(coin, NOW), "usd")
        assert {name: ids[coin.id][name] for name in ("id", "symbol", "name")} == {
            name: row[name] for name in ("id", "symbol", "name")
        }
