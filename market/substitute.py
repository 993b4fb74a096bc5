"""Stands in for the first source when it gave nothing: its coins, by the ids of the first."""

from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any, Protocol

from market.coingecko import MAX_PER_PAGE
from market.fetching import NO_QUOTE, Fetched, Wanted, absent, fetch, pages
from market.http_source import Deadline, SourceError
from market.matching import match
from market.quotes import LeftOut, Quote
from market.store import Document, Latest

SECONDS = 20.0
FAR = 2.0  # a price that is more than twice, or less than half, the known one is another coin's


class Catalogue(Protocol):
    """A source that answers all its coins at once, as rows of `/coins/markets` with its own ids."""

    def catalogue(self, currency: str, *, deadline: Deadline) -> list[dict[str, Any]]: ...


class Substitute:
    """A second source; its quotes are marked with `name`."""

    def __init__(self, name: str, source: Catalogue) -> None:
        self.name = name
        self._source = source

    def fetch(
        self,
        nothing: Fetched,
        wanted: Wanted,
        currency: str,
        coins: Mapping[str, Document],
        latest: Latest,
    ) -> Fetched:
        """What is had in the place of a source that gave nothing, with the reasons of both.

        `coins` is what is known of every coin, by id.
        """
        stand_in = StandIn(self._source, coins)
        found = fetch(stand_in, pages(wanted), currency, label=self.name, seconds=SECONDS)
        left_out = _with_absent(found, wanted)
        doubted = {
            coin: LeftOut(coin, f"{self.name}: {why}")
            for coin, quote in found.quotes.items()
            if (why := doubt(quote, latest.coins.get(coin))) is not None
        }
        quotes = {coin: quote for coin, quote in found.quotes.items() if coin not in doubted}
        # Never empty: a coin that the second source does not have is not missing at the first.
        failures = nothing.failures or [SourceError(f"the source {NO_QUOTE}")]
        if not quotes:
            named = _with_absent(nothing, wanted)
            others = [one for one in named if one.coin not in doubted]
            also = found.failures or [SourceError(f"{self.name} {NO_QUOTE}")]
            return Fetched({}, [*others, *doubted.values()], [*failures, *also])
        share = f"{len(quotes)} of {len(stand_in.collected)} coins"
        told = SourceError(f"{share} are quoted from {self.name} instead")
        return Fetched(
            quotes,
            [*left_out, *doubted.values()],
            [*failures, *found.failures, told],
            self.name,
        )


class StandIn:
    """Pages of the coins that are collected now, each row under the first source's id.

    Names, ranks and images stay those of the first source. The second is asked once.
    """

    def __init__(self, source: Catalogue, coins: Mapping[str, Document]) -> None:
        self._source = source
        self._coins = coins
        self._lock = Lock()
        self._answer: dict[str, dict[str, Any]] | SourceError | None = None
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
        """By `ids`, or the `page`-th `per_page` coins by the first source's rank.

        A coin that the second source does not have, or not without doubt, is left out. Raises
        SourceError.
        """
        with self._lock:
            if self._answer is None:
                self._answer = self._asked(currency, deadline)
            answer = self._answer
        if isinstance(answer, SourceError):
            raise answer
        asked = ids or self.collected[(page - 1) * per_page : page * per_page]
        return [answer[coin] for coin in asked if coin in answer]

    def _asked(self, currency: str, deadline: Deadline) -> dict[str, dict[str, Any]] | SourceError:
        try:
            rows = self._source.catalogue(currency, deadline=deadline)
        except SourceError as error:
            return error
        # Among all coins, for one that is collected no more makes a name ambiguous as well.
        found = match(rows, self._coins)
        return {
            coin: found[coin] | _identity(coin, self._coins[coin])
            for coin in self.collected
            if coin in found
        }

    def _rank(self, coin: str) -> float:
        rank = self._coins[coin].get("rank")
        return float("inf") if rank is None else rank


def doubt(quote: Quote, known: Document | None) -> str | None:
    """Why a second source's quote is not believed, by the coin's latest; None if it is."""
    if known is None:
        return "no price of it is known that this one could be compared with"
    if quote.at < known["at"]:
        return f"its price of {quote.at:%Y-%m-%d %H:%M:%S} is older than the one that is known"
    if not known["price"] / FAR <= quote.price <= known["price"] * FAR:
        return (
            f"its price of {quote.price:g} is not within half and twice of the {known['price']:g} "
            "known before: it may be another coin"
        )
    return None


def _with_absent(fetched: Fetched, wanted: Wanted) -> list[LeftOut]:
    quoted, complete = fetched.quotes, not fetched.failures
    return [*fetched.left_out, *absent(wanted, quoted, fetched.left_out, complete=complete)]


def _identity(coin: str, known: Document) -> dict[str, Any]:
    names = {name: known.get(name) for name in ("name", "symbol", "image")}
    return names | {"id": coin, "market_cap_rank": known.get("rank")}
