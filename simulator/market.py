"""A made-up market: each price is a pure function of seed, coin and time.

Nothing is remembered between two questions but caches of what can be worked out again, so any
moment can be asked for in any order, and a chart goes through the prices that were quoted.
Times are whole milliseconds since 1970, UTC.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from math import isfinite

from simulator.charts import chart_of, usual_step
from simulator.coins import Coin, coins_of
from simulator.prices import CURRENCIES, Prices
from simulator.query import Query, Row
from simulator.rows import Rows
from simulator.timestamps import SECOND


class Market:
    """Coins and their prices, the same for the same seed.

    `coins` is how many there are: about a hundred that everybody knows, then made-up ones, the
    odd ones first. `cadence` is the seconds between two changes of a coin's row (at least 0.001).
    A coin's prices do not depend on how many others there are. Ranks stand still: the list's
    order is that of the usual market caps, whatever the caps do meanwhile.
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

    def coin(self, coin_id: str) -> Coin | None:
        """The coin of this id, or None."""
        return self._by_id.get(coin_id)

    def price(self, coin: Coin, at: int, currency: str = "usd") -> float:
        """The coin's price at `at`, unrounded; any `at` may be asked for."""
        return self._prices.price(coin, at, currency)

    def volume(self, coin: Coin, at: int, currency: str = "usd") -> float:
        """What was traded in the 24 h before `at`."""
        return self._prices.volume(coin, at, currency)

    def last_updated(self, coin: Coin, now: int) -> int:
        """When the row that is valid at `now` was made: never later than `now`."""
        return self._rows.last_updated(coin, now)

    def row(self, coin: Coin, now: int, currency: str = "usd") -> Row:
        """The coin's row of /coins/markets at `now`; the caller may change it."""
        return self._rows.row(coin, now, currency)

    def markets(self, query: Query, now: int) -> list[Row]:
        """The rows that /coins/markets answers to `query` at `now`."""
        return [self._rows.asked(coin, query, now) for coin in self._page(query)]

    def _page(self, query: Query) -> Iterable[Coin]:
        coins: Iterable[Coin]
        if query.ids is None:
            coins = (c for c in self.coins if query.rehypothecated or not c.wrapped)
        else:
            asked = set(query.ids)
            coins = (c for c in self.coins if c.id in asked)
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
        """The coin's row as it was at `since`; None if there is no such coin."""
        alone = replace(query, ids=(coin_id,), page=1, without=frozenset())
        return next(iter(self.markets(alone, since)), None)

    def listing(self) -> list[Row]:
        """Id, symbol and name of every coin, by id, as /coins/list answers."""
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
        """Prices, market caps and volumes from `start` to `end`; None if there is no such coin.

        `step` is `5 * MINUTE`, `HOUR` or `DAY`; None takes the one that CoinGecko takes for the
        length: 5 minutes up to a day, hours up to 90 days, else days. Each list holds pairs of
        milliseconds and amount. If `end` reaches `now`, the last point is at `now`, off the grid
        (for a coin that is hours behind: at its last update, if that is not before `start`).
        """
        coin = self._by_id.get(coin_id)
        if coin is None:
            return None
        last = self.last_updated(coin, now) if coin.lag else now
        return chart_of(
            coin,
            self._prices,
            currency,
            start,
            end,
            now=now,
            last=last,
            step=usual_step(end - start) if step is None else step,
        )
