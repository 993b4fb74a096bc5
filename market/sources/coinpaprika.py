"""The CoinPaprika client: its prices in one call, as rows of CoinGecko's `/coins/markets`."""

import time
from collections.abc import Mapping
from typing import Any

from market.sources.http import Deadline, HttpSource, SourceError, brief

# A price takes about 850 bytes, and one free of charge are 2,000, paid 12,000; a name takes 120.
MAX_BYTES = 20_000_000
KEEP_SECONDS = 300.0  # the free plan's prices change about every 10 minutes

Row = dict[str, Any]


class CoinPaprika:
    """Calls CoinPaprika's API at `url`, without a key; one for a process, shared by its threads.

    An answer is kept for `keep_seconds`: the free plan allows 20,000 calls a month.
    """

    def __init__(self, url: str, *, keep_seconds: float = KEEP_SECONDS) -> None:
        self._http = HttpSource(url, max_bytes=MAX_BYTES)
        self._keep_seconds = keep_seconds
        self._kept: tuple[str, float, list[Row]] = ("", 0.0, [])

    def close(self) -> None:
        """Closes the kept connections."""
        self._http.close()

    def catalogue(self, currency: str, *, deadline: Deadline) -> list[Row]:
        """Every coin; `id` is CoinPaprika's own. Raises SourceError.

        One without a quote in `currency` is there too, without a price: another coin of its name
        could otherwise be taken for it.
        """
        kept, until, rows = self._kept
        if kept == currency and time.monotonic() < until:
            return rows
        found = self._list("/tickers", {"quotes": currency.upper()}, deadline)
        rows = [row for ticker in found if (row := _row(ticker, currency))]
        self._kept = (currency, time.monotonic() + self._keep_seconds, rows)
        return rows

    def listing(self, deadline: Deadline) -> list[Row]:
        """Every active coin's `id`, `symbol` and `name`, with and without a price.

        Raises SourceError, also for a list that has none of them.
        """
        found = self._list("/coins", {}, deadline)
        listed = [row for one in found if (row := _listed(one))]
        if not listed:
            raise SourceError(f"{self._http.host} answered no active coin: {brief(found)}")
        return listed

    def _list(self, path: str, query: Mapping[str, str], deadline: Deadline) -> list[Any]:
        found = self._http.get(path, query, deadline)
        if not isinstance(found, list):
            raise SourceError(f"{self._http.host} answered no list of coins: {brief(found)}")
        return found


def _listed(coin: Any) -> Row | None:
    """What names a listed coin; None when it is no coin, or not an active one."""
    if not isinstance(coin, Mapping) or coin.get("is_active") is False:
        return None
    row = {name: coin.get(name) for name in ("id", "symbol", "name")}
    return row if all(isinstance(text, str) for text in row.values()) else None


def _row(ticker: Any, currency: str) -> Row | None:
    """A ticker's row, its values as they came; None when it is no ticker."""
    if not isinstance(ticker, Mapping):
        return None
    quotes = ticker.get("quotes")
    quote = quotes.get(currency.upper()) if isinstance(quotes, Mapping) else None
    if not isinstance(quote, Mapping):
        quote = {}
    return {
        "id": ticker.get("id"),
        "symbol": ticker.get("symbol"),
        "name": ticker.get("name"),
        "current_price": quote.get("price"),
        # Of a coin whose supply it does not know it says 0.
        "market_cap": quote.get("market_cap") or None,
        "price_change_percentage_24h": quote.get("percent_change_24h"),
        "total_volume": quote.get("volume_24h"),
        "last_updated": ticker.get("last_updated"),
    }
