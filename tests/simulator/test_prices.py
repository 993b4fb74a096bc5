"""Prices of made-up coins: as lively as the field's, and within their limits."""

import statistics
from itertools import pairwise
from math import log

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.market import Market
from simulator.prices import CURRENCIES, Prices
from simulator.timestamps import DAY

NOW = 1_795_383_000_123
MARKET = Market()
PRICES = Prices(MARKET.coins[0])


def test_volatility_is_that_of_the_field() -> None:
    def moves(coin_id: str) -> list[float]:
        coin = MARKET.coin(coin_id)
        assert coin is not None
        prices = [MARKET.price(coin, NOW - k * DAY) for k in range(1_000)]
        return [log(a / b) for a, b in pairwise(prices)]

    assert 0.02 < statistics.pstdev(moves("bitcoin")) < 0.03
    assert statistics.pstdev(moves("gala")) > 0.03
    assert statistics.pstdev(moves("tether")) < 0.001


@settings(deadline=None)
@given(st.integers(0, 4 * 10**12), st.integers(0, 299), st.sampled_from(sorted(CURRENCIES)))
def test_no_price_leaves_its_limits(at: int, place: int, currency: str) -> None:
    coin = MARKET.coins[place]
    low, high = PRICES.limits(coin, currency)
    assert low < PRICES.price(coin, at, currency) < high


def test_currencies_agree() -> None:
    usd, eur, btc = (MARKET.row(MARKET.coins[1], NOW, c) for c in ("usd", "eur", "btc"))
    assert eur["current_price"] == pytest.approx(usd["current_price"] * 0.86, rel=1e-4)
    whole = MARKET.row(MARKET.coins[0], NOW)["current_price"]
    assert btc["current_price"] == pytest.approx(usd["current_price"] / whole, rel=1e-3)
    assert MARKET.row(MARKET.coins[0], NOW, "btc")["current_price"] == 1
    with pytest.raises(ValueError, match="currency is 'xyz'"):
        MARKET.price(MARKET.coins[0], NOW, "xyz")


def test_a_volume_is_of_its_time_and_about_the_usual() -> None:
    coin = MARKET.coins[0]
    seen = {PRICES.volume(coin, NOW - k * DAY) for k in range(100)}
    assert len(seen) == 100
    assert all(0.6 < volume / coin.volume < 1.65 for volume in seen)
    assert PRICES.volume(coin, NOW, "eur") == pytest.approx(PRICES.volume(coin, NOW) * 0.86)
