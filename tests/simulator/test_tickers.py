"""Tickers and ids of the made-up market: the rows' numbers, in the form that is documented."""

from simulator.market import Market
from simulator.tickers import listed, ticker
from tests.market.sources.test_coinpaprika import TICKER

NOW = 1_795_383_000_123
MARKET = Market(seed=1, coins=300)


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
    ids = {one["id"]: listed(one, active=True) for one in MARKET.listing()}
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
