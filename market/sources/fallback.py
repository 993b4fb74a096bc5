"""Fetches from a second source what the first did not give."""

from collections.abc import Callable, Container, Mapping, Sequence
from threading import Lock
from typing import Any, Protocol

from market.model.quotes import SkippedCoin
from market.sources.coin_matching import Row, doubt, match_coins
from market.sources.coingecko import MAX_PER_PAGE
from market.sources.fetch import (
    NO_QUOTE,
    FetchResult,
    Selection,
    fetch,
    missing_coins,
    page_queries,
)
from market.sources.http import Deadline, SourceError
from market.storage.database import Document
from market.storage.quote_store import Latest

FALLBACK_SECONDS = 20.0


class Catalogue(Protocol):
    """A source that returns all its coins at once, as rows of `/coins/markets` with its own ids."""

    def catalogue(self, currency: str, *, deadline: Deadline) -> list[dict[str, Any]]: ...


Listing = Callable[[Deadline], list[dict[str, Any]]]  # all its active coins; raises SourceError


class FallbackSource:
    """A second source; its quotes are marked with `name`."""

    def __init__(self, name: str, source: Catalogue, listing: Listing) -> None:
        self.name = name
        self._source = source
        self._listing = listing

    def fetch(
        self,
        first: FetchResult,
        selection: Selection,
        currency: str,
        coins: Mapping[str, Document],
        latest: Latest,
    ) -> FetchResult:
        """Returns what replaces the result of a first source without quotes, with both's failures.

        `coins` has what is known of every coin, by id.
        """
        pages = FallbackPages(self._source, self._listing, coins)
        found = fetch(
            pages, page_queries(selection), currency, label=self.name, seconds=FALLBACK_SECONDS
        )
        doubts = pages.doubts | {
            coin: reason
            for coin, quote in found.quotes.items()
            if (reason := doubt(quote, latest.coins.get(coin))) is not None
        }
        doubted = {
            coin: SkippedCoin(coin, f"{self.name}: {reason}") for coin, reason in doubts.items()
        }
        quotes = {coin: quote for coin, quote in found.quotes.items() if coin not in doubted}
        # Never empty: a coin that the second source does not have is not missing at the first.
        failures = first.failures or [SourceError(f"the source {NO_QUOTE}")]
        if not quotes:
            skipped = [*_without_quote(first, selection, doubted), *doubted.values()]
            also = found.failures or [SourceError(f"{self.name} {NO_QUOTE}")]
            return FetchResult({}, skipped, [*failures, *also])
        share = f"{len(quotes)} of {len(pages.collected)} coins"
        replaced = SourceError(f"{share} are quoted from {self.name} instead")
        return FetchResult(
            quotes,
            [*_without_quote(found, selection, doubted), *doubted.values()],
            [*failures, *found.failures, replaced],
            self.name,
        )


class FallbackPages:
    """Serves pages of the coins collected now, each row under the first source's id.

    Names, ranks and images stay those of the first source. The second is called once.
    """

    def __init__(self, source: Catalogue, listing: Listing, coins: Mapping[str, Document]) -> None:
        self._source = source
        self._listing = listing
        self._coins = coins
        self._lock = Lock()
        self._rows: dict[str, dict[str, Any]] | SourceError | None = None
        self.doubts: dict[str, str] = {}
        active = [coin for coin, known in coins.items() if known["state"] == "active"]
        self.collected = sorted(active, key=self._rank)

    def markets(
        self,
        currency: str,
        *,
        deadline: Deadline,
        ids: Sequence[str] = (),
        page: int = 1,
        per_page: int = MAX_PER_PAGE,
    ) -> list[Any]:
        """Returns rows by `ids`, or the `page`-th `per_page` coins by the first source's rank.

        A coin that the second source does not have, or not beyond doubt, is missing. Raises
        SourceError.
        """
        with self._lock:
            if self._rows is None:
                self._rows = self._call(currency, deadline)
            rows = self._rows
        if isinstance(rows, SourceError):
            raise rows
        asked = ids or self.collected[(page - 1) * per_page : page * per_page]
        return [rows[coin] for coin in asked if coin in rows]

    def _call(self, currency: str, deadline: Deadline) -> dict[str, dict[str, Any]] | SourceError:
        try:
            rows = self._source.catalogue(currency, deadline=deadline)
            listed = self._listing(deadline)
        except SourceError as error:
            return error
        # Among all coins: one that is no longer collected makes a name ambiguous as well.
        found, doubts = match_coins(rows, self._coins, listed)
        self.doubts = {coin: doubts[coin] for coin in self.collected if coin in doubts}
        return {coin: self._own_row(coin, found[coin]) for coin in self.collected if coin in found}

    def _own_row(self, coin: str, row: Row) -> dict[str, Any]:
        known = self._coins[coin]
        names = {name: known.get(name) for name in ("name", "symbol", "image")}
        return {**row, **names, "id": coin, "market_cap_rank": known.get("rank")}

    def _rank(self, coin: str) -> float:
        rank = self._coins[coin].get("rank")
        return float("inf") if rank is None else rank


def _without_quote(
    result: FetchResult, selection: Selection, doubted: Container[str]
) -> list[SkippedCoin]:
    """Returns the coins without a quote, except those in doubt."""
    complete = not result.failures
    also = missing_coins(selection, result.quotes, result.skipped, complete=complete)
    return [one for one in (*result.skipped, *also) if one.coin not in doubted]
