"""What each process keeps of the coins that it was asked about: their recent past."""

import time
from collections.abc import Mapping
from datetime import datetime
from threading import Lock
from typing import NamedTuple
from zlib import crc32

from market.analytics.recent_prices import RecentPrices, RecentPricesReader

MOST_COINS = 5_000  # some 7 kB each
TRUSTED_SECONDS = 12 * 3600


class Kept(NamedTuple):
    """A coin's recent past, and until when it is trusted (monotonic seconds)."""

    recent: RecentPrices
    until: float


class RecentPriceCache:
    """Keeps each coin's recent past until it has a newer quote, then adds what is new.

    After 12 to 24 hours it is read from scratch, for a quote that came later than
    `recent_prices.LATE`. The coins' turns are spread, so that no page reads all of its coins
    anew.
    """

    def __init__(self, quotes: RecentPricesReader, most: int = MOST_COINS) -> None:
        self._quotes = quotes
        self._most = most
        self._known: dict[str, Kept] = {}
        self._lock = Lock()  # held while nothing is read

    def of(self, upto: Mapping[str, datetime]) -> dict[str, RecentPrices]:
        """The recent past of up to 250 coins, each up to its newest quote, whose time is given.

        Two threads may read the same at once; they find the same. Raises what MongoDB raises.
        """
        now = time.monotonic()
        kept = {
            coin: one
            for coin, at in upto.items()
            if (one := self._known.get(coin)) and one.until > now and one.recent.upto <= at
        }
        behind = {coin: one.recent for coin, one in kept.items() if one.recent.upto < upto[coin]}
        if behind:
            for coin, recent in self._quotes.catch_up(behind, upto).items():
                kept[coin] = Kept(recent, kept[coin].until)
        unknown = {coin: at for coin, at in upto.items() if coin not in kept}
        if unknown:
            for coin, recent in self._quotes.read(unknown).items():
                kept[coin] = Kept(recent, now + _trusted_seconds(coin))
        if behind or unknown:
            self._keep({coin: kept[coin] for coin in (*behind, *unknown)})
        return {coin: one.recent for coin, one in kept.items()}

    def _keep(self, new: Mapping[str, Kept]) -> None:
        """Keeps these; beyond the bound those go that have had no news for longest."""
        with self._lock:
            for coin, one in new.items():
                self._known.pop(coin, None)
                self._known[coin] = one
            while len(self._known) > self._most:
                del self._known[next(iter(self._known))]


def _trusted_seconds(coin: str) -> float:
    return TRUSTED_SECONDS * (1 + crc32(coin.encode()) / 2**32)
