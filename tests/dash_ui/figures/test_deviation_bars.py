from typing import Any

from api_client.client import Coin
from dash_ui.figures import deviation_bars


def coin(name: str, price: float | None, deviation: float | None, **more: Any) -> Coin:
    values: dict[str, Any] = {
        "id": name.lower(),
        "symbol": name[:3].lower(),
        "name": name,
        "rank": 1,
        "state": "active",
        "successor": None,
        "price": price,
        "market_cap": None,
        "change_24h": None,
        "volume_24h": None,
        "deviation": deviation,
        "deviation_count": 37,
        "as_of": None,
        "recorded_at": None,
        "age_seconds": None,
        "freshness": "fresh",
        "source": "coingecko",
    }
    return Coin(**{**values, **more})


BITCOIN = coin("Bitcoin", 60_000, 300)
PEPE = coin("Pepe", 1e-5, 8e-7)
TETHER = coin("Tether", 1.0, 0.0)


def test_as_a_share_a_small_coin_may_lead_and_in_dollars_bitcoin_does() -> None:
    coins = [BITCOIN, PEPE, TETHER]
    assert [bar.name for bar in deviation_bars.deviation_bars(coins, "share")] == [
        "Pepe",
        "Bitcoin",
        "Tether",
    ]
    assert [bar.name for bar in deviation_bars.deviation_bars(coins, "money")] == [
        "Bitcoin",
        "Pepe",
        "Tether",
    ]


def test_a_bar_says_both_and_what_it_rests_on() -> None:
    [bar] = deviation_bars.deviation_bars([BITCOIN], "share")
    assert (bar.value, bar.label) == (0.5, "0.50 %")
    assert bar.hover == "Bitcoin: 0.50 % of the price, $300.00, over 37 of 100"


def test_what_is_missing_gets_no_bar_rather_than_a_zero() -> None:
    without = [coin("A", None, 1.0), coin("B", 1.0, None), coin("C", 0.0, 1.0)]
    assert deviation_bars.deviation_bars(without, "share") == []


def test_the_heading_says_how_many_there_are() -> None:
    coins = [coin(f"Coin{n:02}", 100, n) for n in range(20)]
    bars = deviation_bars.deviation_bars(coins, "share")
    assert deviation_bars.deviation_heading(bars, "share").endswith("the 15 largest of 20")


def test_the_words_beside_the_chart() -> None:
    bars = deviation_bars.deviation_bars([BITCOIN, PEPE, TETHER], "share")
    assert deviation_bars.deviation_summary(bars) == (
        "Largest: Pepe with 8.00 %; in the middle: Bitcoin with 0.50 %; smallest: Tether with "
        "0.00 %. The table has every coin's deviation."
    )
    assert deviation_bars.deviation_summary(bars[:1]) == "Pepe alone has a deviation: 8.00 %."
    assert deviation_bars.deviation_summary([]) == (
        "No coin has a deviation yet: it needs a stored quote."
    )
