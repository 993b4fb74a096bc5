"""Rows of /coins/markets, made from the prices of their moment."""

from __future__ import annotations

from simulator.coins import Coin
from simulator.prices import Prices
from simulator.query import CHANGES, Query, Row
from simulator.rounding import amount, at_precision, figure, six_digits
from simulator.row_template import template_of
from simulator.timestamps import DAY, HOUR, MINUTE, iso

_ROWS = 12_000


class Rows:
    """The rows of any coin; each changes once in `cadence` milliseconds."""

    def __init__(self, prices: Prices, cadence: int) -> None:
        self._prices = prices
        self._cadence = cadence
        # Caches only. Two threads may do the same work twice; neither can read half a value.
        self._templates: dict[tuple[str, str], Row] = {}
        self._rows: dict[tuple[str, str], tuple[int, bool, Row]] = {}
        self._extremes: dict[str, tuple[int, float, float]] = {}

    def last_updated(self, coin: Coin, now: int) -> int:
        """When the row that is valid at `now` was made: never later than `now`."""
        step = self._cadence if not coin.lag else max(self._cadence, 10 * MINUTE)
        offset = coin.stream % step
        return (now - coin.lag - offset) // step * step + offset

    def row(self, coin: Coin, now: int, currency: str = "usd") -> Row:
        """The coin's row at `now`; the caller may change it."""
        at = self.last_updated(coin, now)
        aged = now - at > DAY
        key = (coin.id, currency)
        held = self._rows.get(key)
        if held is not None and held[0] == at and held[1] == aged:
            return held[2].copy()
        row = self._build(coin, at, aged, currency)
        if len(self._rows) >= _ROWS:
            self._rows.clear()
        self._rows[key] = (at, aged, row)
        return row.copy()

    def _build(self, coin: Coin, at: int, aged: bool, currency: str) -> Row:
        row = self._template(coin, currency).copy()
        price = self._prices.price(coin, at, currency)
        row["current_price"] = shown = figure(price)
        row["market_cap"] = cap = amount(price * coin.supply) if coin.cap else 0
        if row["total_supply"] is not None:
            row["fully_diluted_valuation"] = amount(price * row["total_supply"])
        volume = self._prices.volume(coin, at, currency)
        row["total_volume"] = amount(volume) if volume else 0.0
        row["last_updated"] = iso(at)
        if row["ath"] is not None:
            row["ath_change_percentage"] = round((shown / row["ath"] - 1) * 100, 5)
            row["atl_change_percentage"] = round((shown / row["atl"] - 1) * 100, 5)
        if not aged:
            before = self._prices.price(coin, at - DAY, currency)
            change = price / before - 1
            row["price_change_24h"] = six_digits(price - before)
            row["price_change_percentage_24h"] = percent = round(change * 100, 5)
            row["market_cap_change_24h"] = amount(cap * change / (1 + change)) if cap else 0
            row["market_cap_change_percentage_24h"] = percent if cap else 0.0
            high, low = self._day_extremes(coin, at)
            rate = self._prices.rate(at, currency)
            row["high_24h"] = figure(max(high * rate, price, before))
            row["low_24h"] = figure(min(low * rate, price, before))
        return row

    def _template(self, coin: Coin, currency: str) -> Row:
        template = self._templates.get((coin.id, currency))
        if template is None:
            if len(self._templates) >= _ROWS:
                self._templates.clear()
            template = template_of(coin, self._prices.limits(coin, currency), currency)
            self._templates[coin.id, currency] = template
        return template

    def _day_extremes(self, coin: Coin, at: int) -> tuple[float, float]:
        """The highest and lowest of six prices over the day before, in USD, worked out once in 4 h.

        A price of every minute would cost more than all else in a row.
        """
        cell = at // (4 * HOUR)
        held = self._extremes.get(coin.id)
        if held is None or held[0] != cell:
            prices = [self._prices.price(coin, (cell - back) * 4 * HOUR) for back in range(6)]
            held = self._extremes[coin.id] = (cell, max(prices), min(prices))
        return held[1], held[2]

    def asked(self, coin: Coin, query: Query, now: int) -> Row:
        """The coin's row at `now` with all that `query` wants in it."""
        row = self.row(coin, now, query.currency)
        if query.rehypothecated:
            row["market_cap_rank_with_rehypothecated"] = coin.wide_rank
        if not (query.sparkline or query.changes or query.precision):
            return row
        at = self.last_updated(coin, now)
        price = self._prices.price(coin, at, query.currency)
        if query.precision is not None:
            row["current_price"] = at_precision(price, query.precision)
        if query.sparkline:
            row["sparkline_in_7d"] = {
                "price": [
                    self._prices.price(coin, at - h * HOUR, query.currency)
                    for h in range(167, -1, -1)
                ]
            }
        for name in sorted(query.changes):
            then = at - CHANGES[name]
            known = then >= coin.listed and now - at <= CHANGES[name]
            row[f"price_change_percentage_{name}_in_currency"] = (
                (price / self._prices.price(coin, then, query.currency) - 1) * 100
                if known
                else None
            )
        return row
