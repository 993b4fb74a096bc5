"""What the Market page's bars show."""

from dash_ui.figures import deviation_bars
from dash_ui.figures.deviation_bars import BARS
from dash_ui.pages.market import chart
from tests.harness.page_data import coin


def test_the_longest_bar_fills_its_line_and_the_others_are_in_proportion() -> None:
    coins = [coin("Half", price=100.0, deviation=5.0), coin("Whole", price=100.0, deviation=10.0)]
    values = chart.shown(deviation_bars.deviation_bars(coins, "share"))
    assert [one["symbol"] for one in values[:3]] == ["WHO", "HAL", ""]
    assert [one["style"]["width"].split(" * ")[1] for one in values[:2]] == ["1.0000)", "0.5000)"]
    assert [one["hidden"] for one in values] == [False, False, *[True] * (BARS - 2)]
    assert values[1]["title"] == "Half: 5.00 % of the price, $5.0000, over 37 of 100"


def test_deviations_of_nothing_make_bars_of_no_length() -> None:
    values = chart.shown(deviation_bars.deviation_bars([coin(deviation=0.0)], "share"))
    assert values[0]["style"]["width"].endswith("* 0.0000)")
    assert values[0]["label"] == "0.00 %"


def test_two_coins_of_one_symbol_keep_two_bars() -> None:
    twins = [coin("Binance", symbol="bnb"), coin("Other", symbol="bnb")]
    values = chart.shown(deviation_bars.deviation_bars(twins, "share"))
    assert [one["symbol"] for one in values[:3]] == ["BNB", "BNB", ""]
    assert [one["hidden"] for one in values[:3]] == [False, False, True]


def test_only_so_many_bars_are_shown_as_there_is_room_for() -> None:
    coins = [coin(f"Coin{n:02}", deviation=float(n)) for n in range(20)]
    values = chart.shown(deviation_bars.deviation_bars(coins, "share"))
    assert len(values) == len(chart.OUTPUTS) == BARS
    assert values[0]["title"].startswith("Coin19")
