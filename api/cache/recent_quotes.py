"""Caches the recent prices of the coins that one process was asked about."""

import time
from collections.abc import Mapping
from datetime import datetime
from threading import Lock
from typing import NamedTuple
from zlib import crc32

from market.analytics.recent_prices import RecentPrices, RecentPricesReader

MAX_COINS = 5_000  # about 7 kB each
TRUST_SECONDS = 12 * 3600


class CachedCoin(NamedTuple):
    """A coin's recent prices, trusted until a monotonic time."""

    recent: RecentPrices
    until: float


class RecentPriceCache:
    """Keeps each coin's recent prices until it has a newer quote, then adds what is new.

    After 12 to 24 hours it reads a coin from scratch, in case a quote came later than
    `recent_prices.LATE`. The times are spread by coin, so that no page reads all of its coins
    again.
    """

    def __init__(self, quotes: RecentPricesReader, max_coins: int = MAX_COINS) -> None:
        self._quotes = quotes
        self._max_coins = max_coins
        self._coins: dict[str, CachedCoin] = {}
        self._lock = Lock()  # not held during a read

    def of(self, upto: Mapping[str, datetime]) -> dict[str, RecentPrices]:
        """Returns the recent prices of up to 250 coins, given the time of each coin's newest quote.

        Two threads may read the same at once; they find the same. Raises what MongoDB raises.
        """
        now = time.monotonic()
        cached = {
            coin: one
            for coin, at in upto.items()
            if (one := self._coins.get(coin)) and one.until > now and one.recent.upto <= at
        }
        behind = {coin: one.recent for coin, one in cached.items() if one.recent.upto < upto[coin]}
        unknown = {coin: at for coin, at in upto.items() if coin not in cached}
        if behind:
            for coin, recent in self._quotes.catch_up(behind, upto).items():
                cached[coin] = CachedCoin(recent, cached[coin].until)
        if unknown:
            for coin, recent in self._quotes.read(unknown).items():
                cached[coin] = CachedCoin(recent, now + _trust_seconds(coin))
        if behind or unknown:
            self._store({coin: cached[coin] for coin in (*behind, *unknown)})
        return {coin: one.recent for coin, one in cached.items()}

    def _store(self, new: Mapping[str, CachedCoin]) -> None:
        """Stores these; beyond the bound, drops the coins that were stored longest ago."""
        with self._lock:
            for coin, one in new.items():
                self._coins.pop(coin, None)
                self._coins[coin] = one
            while len(self._coins) > self._max_coins:
                del self._coins[next(iter(self._coins))]


def _trust_seconds(coin: str) -> float:
    return TRUST_SECONDS * (1 + crc32(coin.encode()) / 2**32)
