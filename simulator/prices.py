"""Prices of simulated coins, each a pure function of coin, time and currency."""

from __future__ import annotations

from math import exp, sqrt

from simulator.coins import Coin
from simulator.noise import MASK, cell
from simulator.timestamps import DAY, HOUR, MINUTE

# Periods grow by six; a step over a period grows with its root, as a random walk's does. The
# factor makes a coin's `volatility` its standard deviation over a day (a test measures it).
_PERIODS = tuple(MINUTE * 6**k for k in range(8))
_WALK = tuple(
    (p, (k + 1) * 0xA24BAED4963EE407 & MASK, 1.18 * sqrt(p / DAY)) for k, p in enumerate(_PERIODS)
)
_PEGGED = tuple((p, salt, 1.18 * sqrt(min(p, DAY) / DAY)) for p, salt, _ in _WALK[:5])
_VOLUME_SALT = 0x5851F42D4C957F2D

_EUR = 0.86
CURRENCIES = frozenset({"usd", "eur", "btc"})


class Prices:
    """Computes the price of any coin; prices in btc use `bitcoin`'s own price."""

    def __init__(self, bitcoin: Coin) -> None:
        self._bitcoin = bitcoin

    def price(self, coin: Coin, at: int, currency: str = "usd") -> float:
        """Returns the coin's unrounded price at any time."""
        total = 0.0
        stream = coin.stream
        for period, salt, amplitude in _PEGGED if coin.pegged else _WALK:
            index, rest = divmod(at, period)
            left, step = cell(stream ^ salt, index)
            f = rest / period
            total += amplitude * (left + step * f * f * (3 - 2 * f))
        price = exp(coin.base + coin.volatility * total)
        return price if currency == "usd" else price * self.rate(at, currency)

    def rate(self, at: int, currency: str) -> float:
        """Returns the worth of one USD in `currency`. Raises ValueError for an unknown currency."""
        if currency == "eur":
            return _EUR
        if currency == "btc":
            return 1 / self.price(self._bitcoin, at)
        if currency == "usd":
            return 1.0
        raise ValueError(f"currency is {currency!r}: known are btc, eur and usd")

    def limits(self, coin: Coin, currency: str) -> tuple[float, float]:
        """Returns a price that the coin never falls below, and one that it never exceeds."""
        rates = (self.rate(0, currency),) * 2
        if currency == "btc":
            lowest, highest = _limits(self._bitcoin)
            rates = 1 / highest, 1 / lowest
        low, high = _limits(coin)
        return low * rates[0], high * rates[1]

    def volume(self, coin: Coin, at: int, currency: str = "usd") -> float:
        """Returns the volume traded in the 24 h before `at`."""
        index, rest = divmod(at, 6 * HOUR)
        left, step = cell(coin.stream ^ _VOLUME_SALT, index)
        return coin.volume * exp(0.5 * (left + step * rest / (6 * HOUR))) * self.rate(at, currency)


def _limits(coin: Coin) -> tuple[float, float]:
    """Returns the lowest and highest price in USD that the sum of all octaves can reach."""
    reach = coin.volatility * sum(a for _, _, a in (_PEGGED if coin.pegged else _WALK))
    return exp(coin.base - reach) * 0.99, exp(coin.base + reach) * 1.01
