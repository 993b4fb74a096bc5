"""Charts of the made-up market: on CoinGecko's grid, through the prices that were quoted."""

import statistics
from itertools import pairwise

import pytest

from simulator.market import Market
from simulator.timestamps import DAY, HOUR, MINUTE, SECOND

NOW = 1_795_383_000_123
MARKET = Market()


def _gaps(points: list[list[float]]) -> list[float]:
    return [b[0] - a[0] for a, b in pairwise(points)]


@pytest.mark.parametrize(
    ("days", "step", "points"), [(1, 5 * MINUTE, 289), (90, HOUR, 2_161), (91, DAY, 92)]
)
def test_a_chart_has_the_grid_of_its_length(days: int, step: int, points: int) -> None:
    chart = MARKET.chart("bitcoin", "usd", NOW - days * DAY, NOW, now=NOW)
    assert chart is not None
    assert list(chart) == ["prices", "market_caps", "total_volumes"]
    prices = chart["prices"]
    assert {tuple(p[0] for p in chart[name]) for name in chart} == {tuple(p[0] for p in prices)}
    assert abs(len(prices) - points) <= 1
    assert prices[-1][0] == NOW // SECOND * SECOND
    assert statistics.median(_gaps(prices[:-1])) == pytest.approx(step, rel=0.05)
    assert min(_gaps(prices)) > 0
    coin = MARKET.coins[0]
    assert all(price == MARKET.price(coin, at) for at, price in prices)
    if step == DAY:
        assert all(at % DAY == 0 for at, _ in prices[:-1])
    else:
        assert len({at % step for at, _ in prices}) > 50


def test_a_point_does_not_move_when_the_chart_is_asked_for_again() -> None:
    earlier, later = (
        MARKET.chart("bitcoin", "usd", NOW - DAY // 2, NOW + k * MINUTE, now=NOW + k * MINUTE)
        for k in (0, 7)
    )
    assert earlier is not None
    assert later is not None
    assert earlier["prices"][:-1] == later["prices"][: len(earlier["prices"]) - 1]


def test_a_finished_day_is_there_after_10_to_35_minutes() -> None:
    midnight = NOW // DAY * DAY

    def known(now: int) -> bool:
        chart = MARKET.chart("bitcoin", "usd", now - 100 * DAY, now, now=now)
        assert chart is not None
        return midnight in [at for at, _ in chart["prices"][:-1]]

    assert not known(midnight + 9 * MINUTE)
    assert known(midnight + 36 * MINUTE)


def test_a_chart_of_a_coin_that_is_behind_ends_where_it_stands() -> None:
    chart = MARKET.chart("harbour-[old]", "usd", NOW - 7 * DAY, NOW, now=NOW)
    coin = MARKET.coin("harbour-[old]")
    assert chart is not None
    assert coin is not None
    assert chart["prices"][-1][0] == MARKET.last_updated(coin, NOW) // SECOND * SECOND
    assert MARKET.chart("nobody", "usd", NOW - DAY, NOW, now=NOW) is None
