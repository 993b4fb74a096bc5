"""CoinPaprika's tickers and list of coins, made from the market's own rows."""

from __future__ import annotations

from datetime import datetime

from simulator.query import Row


def ticker(row: Row, currency: str) -> Row:
    """The coin of a row as `/v1/tickers` has it: the same numbers, under an id of its own."""
    symbol = str(row["symbol"])
    at = datetime.fromisoformat(row["last_updated"])
    return {
        "id": _id(row),
        "name": row["name"],
        "symbol": symbol.upper(),
        "rank": row["market_cap_rank"] or 0,
        "total_supply": row["total_supply"],
        "max_supply": row["max_supply"],
        "beta_value": 0,
        "first_data_at": row["ath_date"],
        "last_updated": at.strftime("%Y-%m-%dT%H:%M:%SZ"),  # whole seconds
        "quotes": {
            currency.upper(): {
                "price": row["current_price"],
                "volume_24h": row["total_volume"],
                "market_cap": row["market_cap"],
                "percent_change_24h": row["price_change_percentage_24h"],
            }
        },
    }


def listed(coin: Row, *, active: bool) -> Row:
    """A coin of `/coins/list` as `/v1/coins` has it, which knows no prices and so no ranks."""
    return {
        "id": _id(coin),
        "name": coin["name"],
        "symbol": str(coin["symbol"]).upper(),
        "rank": 0,
        "is_new": False,
        "is_active": active,
        "type": "coin",
    }


def _id(coin: Row) -> str:
    return f"{str(coin['symbol']).casefold()}-{coin['id']}"
