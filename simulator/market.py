"""The simulated market: each price is a pure function of seed, coin and time.

The only state is a cache of values that can be computed again. So any moment can be requested in
any order, and a chart passes through the prices that were quoted. Times are whole milliseconds
since 1970, UTC.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from math import isfinite

from simulator.coins import Coin, coins_of
from simulator.noise import hash64
from simulator.prices import CURRENCIES, Prices
from simulator.rows import Query, Row, Rows
from simulator.timestamps import DAY, HOUR, MINUTE, SECOND

_JITTER_SALT = 0x2545F4914F6CDD1D
_DAILY_SALT = 0x369DEA0F31A53F85


class Market:
    """Coins and their prices, the same for the same seed.

    `coins` is how many there are: about a hundred well-known ones, then invented ones, the unusual
    first. `cadence` is the seconds between two changes of a coin's row (at least 0.001). A coin's
    prices do not depend on how many others there are. Ranks are fixed: the list is ordered by the
    usual market caps, whatever the current caps are.
    """

    currencies = CURRENCIES

    def __init__(self, seed: int = 1, coins: int = 300, cadence: float = 1.0) -> None:
        if coins < 1:
            raise ValueError(f"coins is {coins}: at least 1 is needed")
        if not (isfinite(cadence) and cadence >= 0.001):
            raise ValueError(f"cadence is {cadence} s: at least 0.001 s is needed")
        self.seed = seed
        self.cadence = round(cadence * SECOND)
        self.coins = tuple(coins_of(seed, coins))
        self._by_id = {coin.id: coin for coin in self.coins}
        self._prices = Prices(self._by_id["bitcoin"])
        self._rows = Rows(self._prices, self.cadence)
        self.price, self.volume = self._prices.price, self._prices.volume
        self.row, self.last_updated = self._rows.row, self._rows.last_updated

    def coin(self, coin_id: str) -> Coin | None:
        """Returns the coin of this id, or None."""
        return self._by_id.get(coin_id)

    def markets(self, query: Query, now: int) -> list[Row]:
        """Returns the rows with which /coins/markets answers `query` at `now`."""
        return [self._rows.row_for(query, coin, now) for coin in self._page(query)]

    def _page(self, query: Query) -> Iterable[Coin]:
        coins: Iterable[Coin]
        if query.ids is None:
            coins = (c for c in self.coins if query.rehypothecated or not c.wrapped)
        else:
            ids = set(query.ids)
            coins = (c for c in self.coins if c.id in ids)
        found = [c for c in coins if c.id not in query.without]
        if query.order in {"id_asc", "id_desc"}:
            found.sort(key=lambda c: c.id, reverse=query.order == "id_desc")
        elif query.order in {"volume_asc", "volume_desc"}:
            found.sort(key=lambda c: c.volume, reverse=query.order == "volume_desc")
        elif query.order == "market_cap_asc":
            found.reverse()
        first = (query.page - 1) * query.per_page
        return found[first : first + query.per_page]

    def frozen(self, coin_id: str, query: Query, since: int) -> Row | None:
        """Returns the coin's row as it was at `since`; None if there is no such coin."""
        single = replace(query, ids=(coin_id,), page=1, without=frozenset())
        return next(iter(self.markets(single, since)), None)

    def listing(self) -> list[Row]:
        """Returns id, symbol and name of every coin, by id, as /coins/list does."""
        return [
            {"id": c.id, "symbol": c.symbol, "name": c.name}
            for c in sorted(self.coins, key=lambda c: c.id)
        ]

    def chart(
        self,
        coin_id: str,
        currency: str,
        start: int,
        end: int,
        *,
        now: int,
        step: int | None = None,
    ) -> Row | None:
        """Returns prices, market caps and volumes from `start` to `end`; None for an unknown coin.

        `step` is `5 * MINUTE`, `HOUR` or `DAY`; None chooses as CoinGecko does: 5 minutes up to a
        day, hours up to 90 days, else days. Each list holds pairs of milliseconds and amount. If
        `end` reaches `now`, the last point is at `now`, off the grid (for a coin that is hours
        behind: at its last update, if that is not before `start`).
        """
        coin = self._by_id.get(coin_id)
        if coin is None:
            return None
        if step is None:
            span = end - start
            step = 5 * MINUTE if span <= DAY else HOUR if span <= 90 * DAY else DAY
        last = self.last_updated(coin, now) if coin.lag else now
        times = _grid(coin, max(start, coin.listed), min(end, last), step, now)
        if end >= now and last >= start:
            times.append(last // SECOND * SECOND)
        points = [(at, self.price(coin, at, currency)) for at in times]
        supply = coin.supply if coin.cap else 0.0
        return {
            "prices": [[at, price] for at, price in points],
            "market_caps": [[at, price * supply] for at, price in points],
            "total_volumes": [[at, self.volume(coin, at, currency)] for at in times],
        }


def _grid(coin: Coin, start: int, end: int, step: int, now: int) -> list[int]:
    """Returns the times of a chart's points, each delayed by a fixed number of seconds or minutes.

    A point has the same delay in every chart.
    """
    slots = range(start // step, end // step + 1)
    if step == DAY:
        salt = coin.stream ^ _DAILY_SALT
        # A day's point appears 10 to 35 minutes after the day began.
        delays = ((k * DAY, 10 * MINUTE + hash64(salt, k) % (25 * MINUTE)) for k in slots)
        return [at for at, delay in delays if start <= at <= end and at + delay <= now]
    salt = coin.stream ^ _JITTER_SALT ^ step
    spread = min(step // 6, 4 * MINUTE)
    times = (k * step + hash64(salt, k) % spread for k in slots)
    return [at for at in times if start <= at <= end and at < now // SECOND * SECOND]
