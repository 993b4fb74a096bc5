"""The CoinPaprika client: its prices in one call, as rows of CoinGecko's `/coins/markets`."""

import time
from collections.abc import Mapping
from typing import Any

from market.sources.http import Deadline, HttpSource, SourceError, brief

# A price takes about 850 bytes: the free plan has 2,000 coins, the paid 12,000. A name takes 120.
MAX_BYTES = 20_000_000
CACHE_SECONDS = 300.0  # the free plan's prices change about every 10 minutes

Row = dict[str, Any]


class CoinPaprika:
    """Calls CoinPaprika's API at `url`, without a key; one for a process, shared by its threads.

    Prices are cached for `cache_seconds`: the free plan allows 20,000 calls a month.
    """

    def __init__(self, url: str, *, cache_seconds: float = CACHE_SECONDS) -> None:
        self._http = HttpSource(url, max_bytes=MAX_BYTES)
        self._cache_seconds = cache_seconds
        self._cached: tuple[str, float, list[Row]] = ("", 0.0, [])

    def close(self) -> None:
        """Closes the open connections."""
        self._http.close()

    def catalogue(self, currency: str, *, deadline: Deadline) -> list[Row]:
        """Returns every coin; `id` is CoinPaprika's own. Raises SourceError.

        A coin without a quote in `currency` is included, without a price: another coin of its name
        could otherwise be taken for it.
        """
        cached, until, rows = self._cached
        if cached == currency and time.monotonic() < until:
            return rows
        found = self._http.get_list("/tickers", {"quotes": currency.upper()}, deadline)
        rows = [_row(ticker, currency) for ticker in found if isinstance(ticker, Mapping)]
        self._cached = (currency, time.monotonic() + self._cache_seconds, rows)
        return rows

    def listing(self, deadline: Deadline) -> list[Row]:
        """Returns `id`, `symbol` and `name` of every active coin, with or without a price.

        Raises SourceError, also for a list without any active coin.
        """
        found = self._http.get_list("/coins", {}, deadline)
        listed = [row for coin in found if (row := _listed(coin))]
        if not listed:
            raise SourceError(f"{self._http.host} answered no active coin: {brief(found)}")
        return listed


def _listed(coin: Any) -> Row | None:
    """Returns a listed coin's names; None if it is no coin, or not an active one."""
    if not isinstance(coin, Mapping) or coin.get("is_active") is False:
        return None
    row = {name: coin.get(name) for name in ("id", "symbol", "name")}
    return row if all(isinstance(text, str) for text in row.values()) else None


def _row(ticker: Mapping[str, Any], currency: str) -> Row:
    """Converts a ticker to a row, its values as they came."""
    quotes = ticker.get("quotes")
    quote = quotes.get(currency.upper()) if isinstance(quotes, Mapping) else None
    if not isinstance(quote, Mapping):
        quote = {}
    return {
        "id": ticker.get("id"),
        "symbol": ticker.get("symbol"),
        "name": ticker.get("name"),
        "current_price": quote.get("price"),
        # CoinPaprika reports 0 for a coin whose supply it does not know.
        "market_cap": quote.get("market_cap") or None,
        "price_change_percentage_24h": quote.get("percent_change_24h"),
        "total_volume": quote.get("volume_24h"),
        "last_updated": ticker.get("last_updated"),
    }
