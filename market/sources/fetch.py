"""What a source gives: pages side by side, each sorted out as it comes."""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any, Protocol

from market.model.quotes import SUCCESSORS, Quote, SkippedCoin, parse_row
from market.sources.coingecko import MAX_PER_PAGE
from market.sources.http import CONNECTIONS, Deadline, SourceError

FETCH_SECONDS = 45.0  # with those of a substitute well inside the task's limit of 90 s
NO_QUOTE = "answered no usable quote"

Query = Mapping[str, Any]  # what is asked of `Source.markets` for one page


class Wanted(Protocol):
    """Which coins to collect: some by id, and so many of the greatest by market cap."""

    @property
    def ids(self) -> Sequence[str]: ...
    @property
    def top(self) -> int: ...


class Source(Protocol):
    """Where pages of `/coins/markets` come from."""

    def markets(
        self,
        currency: str,
        *,
        deadline: Deadline,
        ids: Sequence[str] = (),
        page: int = 1,
        per_page: int = MAX_PER_PAGE,
    ) -> list[Any]: ...


@dataclass
class Fetched:
    """What the source gave: the newest quote of each coin, the coins without one, the failures.

    `waits` are the places of the pages for which it only asked to wait, among those asked for.
    """

    quotes: dict[str, Quote] = field(default_factory=dict)
    left_out: list[SkippedCoin] = field(default_factory=list)
    failures: list[SourceError] = field(default_factory=list)
    instead: str | None = None  # the second source's name, when the quotes are from there
    waits: list[int] = field(default_factory=list)

    @property
    def retry_after(self) -> float | None:
        """Seconds to wait, when waiting is all that the source asked for."""
        all_wait = len(self.waits) == len(self.failures) and not self.quotes
        return self.longest_wait if all_wait else None

    @property
    def longest_wait(self) -> float | None:
        """Seconds until all the pages that are to wait can be asked for; None without such."""
        asked = [failure.retry_after for failure in self.failures]
        return max((wait for wait in asked if wait is not None), default=None)


def pages(wanted: Wanted) -> Sequence[Query]:
    """All pages of everything wanted: those by id first, then those of the greatest."""
    ids = list(
        dict.fromkeys([*wanted.ids, *(SUCCESSORS[i] for i in wanted.ids if i in SUCCESSORS)])
    )
    by_id = [ids[i : i + MAX_PER_PAGE] for i in range(0, len(ids), MAX_PER_PAGE)]
    # The size of a page must be the same on all of them, or pages would overlap.
    size = min(wanted.top, MAX_PER_PAGE)
    count = -(-wanted.top // size) if size else 0
    return [{"ids": part, "per_page": MAX_PER_PAGE} for part in by_id] + [
        {"page": number, "per_page": size} for number in range(1, count + 1)
    ]


def fetch(
    source: Source,
    asked: Sequence[Query],
    currency: str,
    tell: Callable[[float], None] = lambda _: None,
    *,
    label: str = "",
    seconds: float = FETCH_SECONDS,
) -> Fetched:
    """The pages asked for, side by side, in so many seconds; failures are in the answer.

    `tell` is called after each page with the share (0 to 1) of them that have ended. `label` is
    the source's name.
    """
    deadline = Deadline(seconds)
    now = datetime.now(UTC)
    ended = count(1)

    def page(query: Query) -> list[Quote | SkippedCoin] | SourceError:
        try:
            rows = source.markets(currency, deadline=deadline, **query)
            # Here, while other pages are on their way: later it would hold up the storing.
            return [parse_row(row, now, label) for row in rows]
        except SourceError as error:
            return error
        finally:
            tell(next(ended) / len(asked))

    fetched = Fetched()
    with ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="page") as threads:
        side_by_side = threads.map if len(asked) > 1 else map  # one page needs no thread
        for place, found in enumerate(side_by_side(page, asked)):
            if not isinstance(found, SourceError):
                _sort_out(found, fetched)
                continue
            fetched.failures.append(found)
            if found.retry_after is not None:
                fetched.waits.append(place)
    # A coin can be on two pages, good on one of them.
    fetched.left_out = [
        one for one in dict.fromkeys(fetched.left_out) if one.coin not in fetched.quotes
    ]
    return fetched


def _sort_out(rows: Sequence[Quote | SkippedCoin], fetched: Fetched) -> None:
    """Adds rows to what was fetched; of two quotes of a coin the newer one stands."""
    quotes = fetched.quotes
    for row in rows:
        if isinstance(row, SkippedCoin):
            fetched.left_out.append(row)
        elif (known := quotes.get(row.coin)) is None or known.at < row.at:
            quotes[row.coin] = row


def absent(
    wanted: Wanted, quoted: Container[str], left_out: Iterable[SkippedCoin], *, complete: bool
) -> list[SkippedCoin]:
    """Each coin wanted by id that the source left out without a word, with the likely reason.

    `complete`: no page failed.
    """
    named = {one.coin for one in left_out}
    found = []
    for coin in wanted.ids:
        if coin in quoted or coin in named:
            continue
        if not complete:
            why = "the call for it failed"
        elif coin in SUCCESSORS:
            why = f"retired by the source; {SUCCESSORS[coin]} is collected in its place"
        else:
            why = "the source does not know it"
        found.append(SkippedCoin(coin, why))
    return found
