"""Charts of made-up coins, through the prices that were quoted."""

from __future__ import annotations

from simulator.coins import Coin
from simulator.noise import hashed
from simulator.prices import Prices
from simulator.query import Row
from simulator.timestamps import DAY, HOUR, MINUTE, SECOND

_JITTER_SALT = 0x2545F4914F6CDD1D
_DAILY_SALT = 0x369DEA0F31A53F85


def usual_step(span: int) -> int:
    """The step that CoinGecko takes for a length: 5 minutes up to a day, hours up to 90 days."""
    return 5 * MINUTE if span <= DAY else HOUR if span <= 90 * DAY else DAY


def chart_of(
    coin: Coin,
    prices: Prices,
    currency: str,
    start: int,
    end: int,
    *,
    now: int,
    last: int,
    step: int,
) -> Row:
    """The coin's points from `start` to `end`, as `Market.chart` gives them.

    `last` is when the newest point may be: `now`, or earlier for a coin that is behind.
    """
    times = _grid(coin, max(start, coin.listed), min(end, last), step, now)
    if end >= now and last >= start:
        times.append(last // SECOND * SECOND)
    points = [(at, prices.price(coin, at, currency)) for at in times]
    supply = coin.supply if coin.cap else 0.0
    return {
        "prices": [[at, price] for at, price in points],
        "market_caps": [[at, price * supply] for at, price in points],
        "total_volumes": [[at, prices.volume(coin, at, currency)] for at in times],
    }


def _grid(coin: Coin, start: int, end: int, step: int, now: int) -> list[int]:
    """The times of a chart's points: each late by seconds or minutes, always by the same."""
    slots = range(start // step, end // step + 1)
    if step == DAY:
        salt = coin.stream ^ _DAILY_SALT
        # A day's point comes 10 to 35 minutes after the day began.
        delays = ((k * DAY, 10 * MINUTE + hashed(salt, k) % (25 * MINUTE)) for k in slots)
        return [at for at, delay in delays if start <= at <= end and at + delay <= now]
    salt = coin.stream ^ _JITTER_SALT ^ step
    spread = min(step // 6, 4 * MINUTE)
    times = (k * step + hashed(salt, k) % spread for k in slots)
    return [at for at in times if start <= at <= end and at < now // SECOND * SECOND]
