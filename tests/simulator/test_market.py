"""The made-up market: the same for the same seed, and listed as CoinGecko lists."""

import statistics
from itertools import pairwise

import pytest

from simulator.market import Market
from simulator.rows import Query
from simulator.timestamps import DAY, HOUR, MINUTE, SECOND

NOW = 1_795_383_000_123
MARKET = Market()
ALL = Query(per_page=300)


def test_the_same_seed_makes_the_same_market() -> None:
    assert Market(seed=7).markets(ALL, NOW) == Market(seed=7).markets(ALL, NOW)
    assert Market(seed=7).markets(ALL, NOW) != Market(seed=8).markets(ALL, NOW)


def test_a_price_does_not_depend_on_what_was_asked_before_or_on_how_many_coins() -> None:
    asked, fresh = Market(coins=300), Market(coins=1_000)
    for hours in range(50):
        asked.markets(ALL, NOW - hours * HOUR)
    for coin in asked.coins:
        twin = fresh.coin(coin.id)
        assert twin is not None
        assert asked.price(coin, NOW) == fresh.price(twin, NOW)


def test_the_oddities_of_the_source_are_there() -> None:
    rows = {row["id"]: row for row in MARKET.markets(ALL, NOW)}
    assert {"_", "2step token", "harbour-[old]", "-7"} <= set(rows)
    assert rows["blank-symbol"]["symbol"] == ""
    assert rows["dust-of-dust"]["current_price"] == pytest.approx(2e-10, rel=0.3)
    assert rows["still-water"]["total_volume"] == 0
    vault = rows["empty-vault"]
    assert (vault["market_cap"], vault["market_cap_rank"]) == (0, None)
    assert rows["first-light"]["ath"] is None
    assert rows["first-light"]["atl"] is None
    ranks = [row["market_cap_rank"] for row in rows.values() if row["market_cap_rank"]]
    assert ranks == sorted(set(ranks))
    assert max(ranks) > len(ranks)
    for name in ("current_price", "total_supply", "total_volume"):
        assert {int, float} <= {type(row[name]) for row in rows.values()}


def test_wrapped_coins_stand_outside_the_default_list() -> None:
    usual = {row["id"] for row in MARKET.markets(ALL, NOW)}
    wide = MARKET.markets(Query(per_page=300, rehypothecated=True), NOW)
    assert {row["id"] for row in wide} - usual == {
        "staked-ether",
        "wrapped-steth",
        "wrapped-bitcoin",
        "weth",
    }
    assert all("market_cap_rank_with_rehypothecated" in row for row in wide)
    assert [row["id"] for row in MARKET.markets(Query(ids=("weth",)), NOW)] == ["weth"]


def test_pages_cut_the_list() -> None:
    pages = [MARKET.markets(Query(per_page=90, page=n), NOW) for n in (1, 2, 3, 4, 5)]
    assert [row["id"] for page in pages for row in page] == [
        row["id"] for row in MARKET.markets(ALL, NOW)
    ]
    assert [len(page) for page in pages] == [90, 90, 90, 26, 0]
    by_id = MARKET.markets(Query(per_page=250, order="id_asc"), NOW)
    assert [row["id"] for row in by_id] == sorted(row["id"] for row in by_id)


def test_bad_sizes_are_named() -> None:
    with pytest.raises(ValueError, match="coins is 0"):
        Market(coins=0)
    for cadence in ("nan", "inf", "-1.0", "0.0001"):
        with pytest.raises(ValueError, match=f"cadence is {cadence} s: at least 0.001 s"):
            Market(cadence=float(cadence))


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
