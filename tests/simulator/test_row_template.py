"""Templates: what of a row never changes, and room for what does."""

from simulator.coins import coins_of
from simulator.query import Row
from simulator.row_template import template_of

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
    return template_of(coin, (0.5, 20_000.6), "eur")


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
    row = template_of(coin, (1, 2), "usd")
    assert (row["circulating_supply"], row["total_supply"], row["max_supply"]) == (0.0, None, None)


def test_a_return_is_in_the_currency_of_the_row() -> None:
    rows = [template_of(coin, (1, 2), "eur") for coin in coins_of(1, 300)]
    assert {row["roi"]["currency"] for row in rows if row["roi"]} == {"eur"}
