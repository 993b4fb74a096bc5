"""Builds the rows of /coins/markets, and CoinPaprika's tickers and coin list from them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from simulator.coins import TOP, Coin
from simulator.noise import hash64, uniform
from simulator.prices import Prices
from simulator.timestamps import DAY, HOUR, MINUTE, iso

CHANGE_PERIODS = {
    "1h": HOUR,
    "24h": DAY,
    "7d": 7 * DAY,
    "14d": 14 * DAY,
    "30d": 30 * DAY,
    "200d": 200 * DAY,
    "1y": 365 * DAY,
}
_CACHED_ROWS = 12_000

Row = dict[str, Any]  # a JSON object of an answer, such as a coin's row


@dataclass(frozen=True, kw_only=True)
class Query:
    """The parameters of one call of /coins/markets.

    `ids` None means the whole list. Ids in `without` are removed before the list is split into
    pages. `key` is the path with its query string, by which a replay counts requests.
    """

    currency: str = "usd"
    ids: tuple[str, ...] | None = None
    per_page: int = 100
    page: int = 1
    order: str = "market_cap_desc"
    changes: tuple[str, ...] = ()
    sparkline: bool = False
    precision: str | None = None
    rehypothecated: bool = False
    without: frozenset[str] = frozenset()
    key: str = ""


class Rows:
    """Builds and caches the row of any coin; each row changes once in `cadence` milliseconds."""

    def __init__(self, prices: Prices, cadence: int) -> None:
        self._prices = prices
        self._cadence = cadence
        # Caches only. Two threads may do the same work twice; neither can read half a value.
        self._templates: dict[tuple[str, str], Row] = {}
        self._rows: dict[tuple[str, str], tuple[int, bool, Row]] = {}
        self._extremes: dict[str, tuple[int, float, float]] = {}

    def last_updated(self, coin: Coin, now: int) -> int:
        """Returns when the row that is valid at `now` was made: never later than `now`."""
        step = self._cadence if not coin.lag else max(self._cadence, 10 * MINUTE)
        offset = coin.stream % step
        return (now - coin.lag - offset) // step * step + offset

    def row(self, coin: Coin, now: int, currency: str = "usd") -> Row:
        """Returns the coin's row at `now`; the caller may change it."""
        at = self.last_updated(coin, now)
        aged = now - at > DAY
        key = (coin.id, currency)
        cached = self._rows.get(key)
        if cached is not None and cached[:2] == (at, aged):
            return cached[2].copy()
        row = self._build(coin, at, aged, currency)
        if len(self._rows) >= _CACHED_ROWS:
            self._rows.clear()
        self._rows[key] = (at, aged, row)
        return row.copy()

    def row_for(self, query: Query, coin: Coin, now: int) -> Row:
        """Returns the coin's row at `now` with the extra fields that `query` asks for."""
        row = self.row(coin, now, query.currency)
        if query.rehypothecated:
            row["market_cap_rank_with_rehypothecated"] = coin.wide_rank
        if not (query.sparkline or query.changes or query.precision):
            return row
        at = self.last_updated(coin, now)
        price = self._prices.price(coin, at, query.currency)
        if query.precision is not None:
            row["current_price"] = round_to_precision(price, query.precision)
        if query.sparkline:
            hours = (at - h * HOUR for h in range(167, -1, -1))
            sparkline = [self._prices.price(coin, hour, query.currency) for hour in hours]
            row["sparkline_in_7d"] = {"price": sparkline}
        for name in sorted(query.changes):
            then = at - CHANGE_PERIODS[name]
            known = then >= coin.listed and now - at <= CHANGE_PERIODS[name]
            row[f"price_change_percentage_{name}_in_currency"] = (
                (price / self._prices.price(coin, then, query.currency) - 1) * 100
                if known
                else None
            )
        return row

    def _build(self, coin: Coin, at: int, aged: bool, currency: str) -> Row:
        row = self._template(coin, currency).copy()
        price = self._prices.price(coin, at, currency)
        row["current_price"] = shown = round_price(price)
        row["market_cap"] = cap = round_amount(price * coin.supply) if coin.cap else 0
        if row["total_supply"] is not None:
            row["fully_diluted_valuation"] = round_amount(price * row["total_supply"])
        volume = self._prices.volume(coin, at, currency)
        row["total_volume"] = round_amount(volume) if volume else 0.0
        row["last_updated"] = iso(at)
        if row["ath"] is not None:
            row["ath_change_percentage"] = round((shown / row["ath"] - 1) * 100, 5)
            row["atl_change_percentage"] = round((shown / row["atl"] - 1) * 100, 5)
        if not aged:
            before = self._prices.price(coin, at - DAY, currency)
            change = price / before - 1
            row["price_change_24h"] = six_digits(price - before)
            row["price_change_percentage_24h"] = percent = round(change * 100, 5)
            row["market_cap_change_24h"] = round_amount(cap * change / (1 + change)) if cap else 0
            row["market_cap_change_percentage_24h"] = percent if cap else 0.0
            high, low = self._day_extremes(coin, at)
            rate = self._prices.rate(at, currency)
            row["high_24h"] = round_price(max(high * rate, price, before))
            row["low_24h"] = round_price(min(low * rate, price, before))
        return row

    def _template(self, coin: Coin, currency: str) -> Row:
        template = self._templates.get((coin.id, currency))
        if template is None:
            if len(self._templates) >= _CACHED_ROWS:
                self._templates.clear()
            template = row_template(coin, self._prices.limits(coin, currency), currency)
            self._templates[coin.id, currency] = template
        return template

    def _day_extremes(self, coin: Coin, at: int) -> tuple[float, float]:
        """Returns the highest and lowest of six prices of the day before, in USD.

        They are computed once in 4 h: one price a minute would cost more than the rest of the row.
        """
        cell = at // (4 * HOUR)
        cached = self._extremes.get(coin.id)
        if cached is None or cached[0] != cell:
            prices = [self._prices.price(coin, (cell - back) * 4 * HOUR) for back in range(6)]
            cached = self._extremes[coin.id] = (cell, max(prices), min(prices))
        return cached[1], cached[2]


def row_template(coin: Coin, limits: tuple[float, float], currency: str) -> Row:
    """Returns a row in CoinGecko's key order, with the fields that never change filled in.

    `limits` are the lowest and highest price that the coin can have in `currency`.
    """
    atl, ath = map(round_price, limits)
    bits = hash64(coin.stream, 6)
    supply = round_supply(coin.supply, bits)
    complete = coin.rank is not None and coin.rank <= TOP
    total = (
        None
        if bits % 13 == 0 and not complete
        else round_supply(coin.supply * (1 + bits % 5 / 10), bits >> 3)
    )
    times = round(uniform(coin.stream, 7) * 60, 6)
    return {
        "id": coin.id,
        "symbol": coin.symbol,
        "name": coin.name,
        "image": f"https://images.invalid/coins/{bits % 99_991}/large.png",
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
        "max_supply": total if bits % 2 and coin.cap else None,
        "ath": None if coin.new else ath,
        "ath_change_percentage": None,
        "ath_date": None if coin.new else iso(coin.listed + bits % (500 * DAY)),
        "atl": None if coin.new else atl,
        "atl_change_percentage": None,
        "atl_date": None if coin.new else iso(coin.listed + (bits >> 5) % (500 * DAY)),
        "roi": {"times": times, "currency": currency, "percentage": times * 100}
        if bits % 10 == 0
        else None,
        "last_updated": None,
    }


def ticker(row: Row, currency: str) -> Row:
    """Returns a row as an entry of CoinPaprika's `/v1/tickers`: same numbers, different id."""
    symbol = str(row["symbol"])
    at = datetime.fromisoformat(row["last_updated"])
    return {
        "id": _paprika_id(row),
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


def paprika_coin(coin: Row, *, active: bool) -> Row:
    """Returns a coin of `/coins/list` as an entry of `/v1/coins`, without a price or a rank."""
    return {
        "id": _paprika_id(coin),
        "name": coin["name"],
        "symbol": str(coin["symbol"]).upper(),
        "rank": 0,
        "is_new": False,
        "is_active": active,
        "type": "coin",
    }


def _paprika_id(coin: Row) -> str:
    return f"{str(coin['symbol']).casefold()}-{coin['id']}"


def round_price(value: float) -> float | int:
    """Rounds a price as CoinGecko does: whole from 10,000, six digits below 1."""
    if value >= 10_000:
        return round(value)
    if value >= 1:
        return round(value, 2 if value >= 1.1 else 3)
    return six_digits(value)


def round_amount(value: float) -> float | int:
    """Rounds a market cap or a volume: whole from 1,000, else six digits."""
    return round(value) if abs(value) >= 1_000 else six_digits(value)


def round_to_precision(value: float, precision: str | None) -> float | int:
    """Rounds a price to the requested `precision`: "full", or up to 18 decimal places."""
    if precision == "full":
        return value
    if precision is not None and precision.isdecimal():
        return round(value, min(int(precision), 18))
    return round_price(value)


def six_digits(value: float) -> float:
    """Rounds to six significant digits."""
    return float(f"{value:.6g}")


def round_supply(supply: float, bits: int) -> float | int:
    """Rounds a supply: `bits` choose between int and float, which CoinGecko mixes in one page."""
    return round(supply) if bits % 3 == 0 and supply < 2**53 else float(f"{supply:.15g}")
