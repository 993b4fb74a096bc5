"""Stands in for the first source when it gave nothing: its coins, by the ids of the first."""

from collections.abc import Callable, Container, Mapping, Sequence
from threading import Lock
from typing import Any, Protocol

from market.model.quotes import Quote, SkippedCoin
from market.sources.coin_matching import match
from market.sources.coingecko import MAX_PER_PAGE
from market.sources.fetch import NO_QUOTE, Fetched, Wanted, absent, fetch, pages
from market.sources.http import Deadline, SourceError
from market.storage.database import Document
from market.storage.quote_store import Latest

SECONDS = 20.0
# A price or market cap that is more than twice, or less than half, the known one is another coin's.
FAR = 2.0
DECIMALS = 8  # of many of its numbers
COARSE = 1e-6  # a lower price with so few decimals is off by more than half a percent


class Catalogue(Protocol):
    """A source that answers all its coins at once, as rows of `/coins/markets` with its own ids."""

    def catalogue(self, currency: str, *, deadline: Deadline) -> list[dict[str, Any]]: ...


Listing = Callable[[Deadline], list[dict[str, Any]]]  # all its active coins; raises SourceError


class Substitute:
    """A second source; its quotes are marked with `name`."""

    def __init__(self, name: str, source: Catalogue, listing: Listing) -> None:
        self.name = name
        self._source = source
        self._listing = listing

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
        stand_in = StandIn(self._source, self._listing, coins)
        found = fetch(stand_in, pages(wanted), currency, label=self.name, seconds=SECONDS)
        doubts = stand_in.doubts | {
            coin: why
            for coin, quote in found.quotes.items()
            if (why := doubt(quote, latest.coins.get(coin))) is not None
        }
        doubted = {coin: SkippedCoin(coin, f"{self.name}: {why}") for coin, why in doubts.items()}
        quotes = {coin: quote for coin, quote in found.quotes.items() if coin not in doubted}
        # Never empty: a coin that the second source does not have is not missing at the first.
        failures = nothing.failures or [SourceError(f"the source {NO_QUOTE}")]
        if not quotes:
            others = _others(nothing, wanted, doubted)
            also = found.failures or [SourceError(f"{self.name} {NO_QUOTE}")]
            return Fetched({}, [*others, *doubted.values()], [*failures, *also])
        share = f"{len(quotes)} of {len(stand_in.collected)} coins"
        told = SourceError(f"{share} are quoted from {self.name} instead")
        return Fetched(
            quotes,
            [*_others(found, wanted, doubted), *doubted.values()],
            [*failures, *found.failures, told],
            self.name,
        )


class StandIn:
    """Pages of the coins that are collected now, each row under the first source's id.

    Names, ranks and images stay those of the first source. The second is asked once.
    """

    def __init__(self, source: Catalogue, listing: Listing, coins: Mapping[str, Document]) -> None:
        self._source = source
        self._listing = listing
        self._coins = coins
        self._lock = Lock()
        self._answer: dict[str, dict[str, Any]] | SourceError | None = None
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
            listed = self._listing(deadline)
        except SourceError as error:
            return error
        # Among all coins, for one that is collected no more makes a name ambiguous as well.
        found, doubts = match(rows, self._coins, listed)
        self.doubts = {coin: doubts[coin] for coin in self.collected if coin in doubts}
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
    if why := _far("price", quote.price, known["price"]):
        return why
    if quote.price < COARSE and quote.price == round(quote.price, DECIMALS):
        return f"its price of {quote.price:g} is rounded to {DECIMALS} decimals: too coarse"
    if not known.get("market_cap") or not quote.market_cap:
        return "no market cap to compare: it may be another coin"
    return _far("market cap", quote.market_cap, known["market_cap"])


def _far(what: str, value: float, known: float) -> str | None:
    if known / FAR <= value <= known * FAR:
        return None
    return (
        f"its {what} of {value:g} is not within half and twice of the {known:g} known before: "
        "it may be another coin"
    )


def _others(fetched: Fetched, wanted: Wanted, doubted: Container[str]) -> list[SkippedCoin]:
    """The coins without a quote, but for those that are doubted."""
    quoted, complete = fetched.quotes, not fetched.failures
    also = absent(wanted, quoted, fetched.left_out, complete=complete)
    return [one for one in (*fetched.left_out, *also) if one.coin not in doubted]


def _identity(coin: str, known: Document) -> dict[str, Any]:
    names = {name: known.get(name) for name in ("name", "symbol", "image")}
    return names | {"id": coin, "market_cap_rank": known.get("rank")}
