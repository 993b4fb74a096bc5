"""The Market page's deviation chart: its bars and its summary."""

from dash_ui.pages.market import deviation_chart
from dash_ui.pages.market.deviation_chart import BARS
from tests.harness.page_data import coin

BITCOIN = coin("Bitcoin", price=60_000.0, deviation=300.0)
PEPE = coin("Pepe", price=1e-5, deviation=8e-7)
TETHER = coin("Tether", price=1.0, deviation=0.0)


def test_as_a_share_a_small_coin_may_lead_and_in_dollars_bitcoin_does() -> None:
    coins = [BITCOIN, PEPE, TETHER]
    assert [bar.name for bar in deviation_chart.bars(coins, "share")] == [
        "Pepe",
        "Bitcoin",
        "Tether",
    ]
    assert [bar.name for bar in deviation_chart.bars(coins, "money")] == [
        "Bitcoin",
        "Pepe",
        "Tether",
    ]


def test_a_bar_says_both_and_what_it_rests_on() -> None:
    [bar] = deviation_chart.bars([BITCOIN], "share")
    assert (bar.value, bar.label) == (0.5, "0.50 %")
    assert bar.hover == "Bitcoin: 0.50 % of the price, $300.00, 37 of 100 prices"


def test_what_is_missing_gets_no_bar_rather_than_a_zero() -> None:
    without = [coin(price=None), coin(deviation=None), coin(price=0.0)]
    assert deviation_chart.bars(without, "share") == []


def test_the_heading_says_how_many_there_are() -> None:
    coins = [coin(f"Coin{n:02}", deviation=float(n)) for n in range(20)]
    bars = deviation_chart.bars(coins, "share")
    assert deviation_chart.heading(bars, "share").endswith("the 15 largest of 20")


def test_the_words_beside_the_chart() -> None:
    bars = deviation_chart.bars([BITCOIN, PEPE, TETHER], "share")
    assert deviation_chart.summary(bars) == (
        "Largest: Pepe, 8.00 %. Median: Bitcoin, 0.50 %. Smallest: Tether, 0.00 %. The table lists "
        "every coin."
    )
    assert deviation_chart.summary(bars[:1]) == "Only Pepe has a deviation: 8.00 %."
    assert deviation_chart.summary([]) == ("No deviations yet: no quotes are stored.")


def test_the_longest_bar_fills_its_line_and_the_others_are_in_proportion() -> None:
    coins = [coin("Half", price=100.0, deviation=5.0), coin("Whole", price=100.0, deviation=10.0)]
    values = deviation_chart.render(deviation_chart.bars(coins, "share"))
    assert [one["symbol"] for one in values[:3]] == ["WHO", "HAL", ""]
    assert [one["style"]["width"].split(" * ")[1] for one in values[:2]] == ["1.0000)", "0.5000)"]
    assert [one["hidden"] for one in values] == [False, False, *[True] * (BARS - 2)]
    assert values[1]["title"] == "Half: 5.00 % of the price, $5.0000, 37 of 100 prices"


def test_deviations_of_nothing_make_bars_of_no_length() -> None:
    values = deviation_chart.render(deviation_chart.bars([coin(deviation=0.0)], "share"))
    assert values[0]["style"]["width"].endswith("* 0.0000)")
    assert values[0]["label"] == "0.00 %"


def test_two_coins_of_one_symbol_keep_two_bars() -> None:
    twins = [coin("Binance", symbol="bnb"), coin("Other", symbol="bnb")]
    values = deviation_chart.render(deviation_chart.bars(twins, "share"))
    assert [one["symbol"] for one in values[:3]] == ["BNB", "BNB", ""]
    assert [one["hidden"] for one in values[:3]] == [False, False, True]


def test_only_so_many_bars_are_shown_as_there_is_room_for() -> None:
    coins = [coin(f"Coin{n:02}", deviation=float(n)) for n in range(20)]
    values = deviation_chart.render(deviation_chart.bars(coins, "share"))
    assert len(values) == len(deviation_chart.OUTPUTS) == BARS
    assert values[0]["title"].startswith("Coin19")
