"""A ticker of CoinPaprika."""

# As documented: https://docs.coinpaprika.com, 2026-11-23.
TICKER = {
    "id": "btc-bitcoin",
    "name": "Bitcoin",
    "symbol": "BTC",
    "rank": 1,
    "total_supply": 19883231,
    "max_supply": 21000000,
    "beta_value": 0.879448,
    "first_data_at": "2010-07-17T00:00:00Z",
    "last_updated": "2025-06-25T10:47:48Z",
    "quotes": {
        "USD": {
            "price": 107077.69661924685,
            "volume_24h": 23175936198.924427,
            "market_cap": 2129051326372,
            "percent_change_24h": 1.74,
        }
    },
}
