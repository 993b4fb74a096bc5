"""What never changes of a coin's row."""

from __future__ import annotations

from simulator.coins import TOP, Coin
from simulator.noise import hashed, unit
from simulator.query import Row
from simulator.rounding import figure, supply_figure
from simulator.timestamps import DAY, iso


def template_of(coin: Coin, limits: tuple[float, float], currency: str) -> Row:
    """A row in CoinGecko's order of keys, with what never changes filled in.

    `limits` are the lowest and highest price that the coin can have in `currency`.
    """
    atl, ath = map(figure, limits)
    picked = hashed(coin.stream, 6)
    supply = supply_figure(coin.supply, picked)
    complete = coin.rank is not None and coin.rank <= TOP
    total = (
        None
        if picked % 13 == 0 and not complete
        else supply_figure(coin.supply * (1 + picked % 5 / 10), picked >> 3)
    )
    times = round(unit(coin.stream, 7) * 60, 6)
    return {
        "id": coin.id,
        "symbol": coin.symbol,
        "name": coin.name,
        "image": f"https://images.invalid/coins/{picked % 99_991}/large.png",
        "current_price": None,
        "market_cap": 0,
        "market_cap_rank": coin.rank,
        "fully_diluted_valuation": None,
        "total_volume": 0.0,
        "high_24h": None,
        "low_24h": None,
        "price_change_24h": None,
        "price_change_percentage_24h": None,
        "market_cap_change_24h": None,
        "market_cap_change_percentage_24h": None,
        "circulating_supply": supply if coin.cap else 0.0,
        "total_supply": total if coin.cap else None,
        "max_supply": total if picked % 2 and coin.cap else None,
        "ath": None if coin.new else ath,
        "ath_change_percentage": None,
        "ath_date": None if coin.new else iso(coin.listed + picked % (500 * DAY)),
        "atl": None if coin.new else atl,
        "atl_change_percentage": None,
        "atl_date": None if coin.new else iso(coin.listed + (picked >> 5) % (500 * DAY)),
        "roi": {"times": times, "currency": currency, "percentage": times * 100}
        if picked % 10 == 0
        else None,
        "last_updated": None,
    }
