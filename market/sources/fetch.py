"""Fetches pages of coins from a source in parallel, and parses each as it arrives."""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any, Protocol

from market.model.quotes import SUCCESSORS, Quote, SkippedCoin, parse_row
from market.sources.coingecko import MAX_PER_PAGE
from market.sources.http import CONNECTIONS, Deadline, SourceError

FETCH_SECONDS = 45.0  # with those of a fallback well inside the task's limit of 90 s
NO_QUOTE = "answered no usable quote"

Query = Mapping[str, Any]  # the arguments of `Source.markets` for one page


class Selection(Protocol):
    """Which coins to collect: some by id, and so many of the greatest by market cap."""

    @property
    def ids(self) -> Sequence[str]: ...
    @property
    def top(self) -> int: ...


class Source(Protocol):
    """A source of pages of `/coins/markets`."""

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
class FetchResult:
    """What the source gave: the newest quote of each coin, the coins without one, the failures.

    `waits` are the indices, among the queries, of the pages that the source asked to retry later.
    """

    quotes: dict[str, Quote] = field(default_factory=dict)
    skipped: list[SkippedCoin] = field(default_factory=list)
    failures: list[SourceError] = field(default_factory=list)
    fallback: str | None = None  # the second source's name, when the quotes are from there
    waits: list[int] = field(default_factory=list)

    @property
    def retry_after(self) -> float | None:
        """Seconds to wait, when waiting is all that the source asked for."""
        all_wait = len(self.waits) == len(self.failures) and not self.quotes
        return self.longest_wait if all_wait else None

    @property
    def longest_wait(self) -> float | None:
        """Seconds until all waiting pages can be asked for; None without any."""
        asked = [failure.retry_after for failure in self.failures]
        return max((wait for wait in asked if wait is not None), default=None)


def page_queries(selection: Selection) -> Sequence[Query]:
    """Returns the queries of all pages: coins by id first, then the greatest."""
    successors = (SUCCESSORS[coin] for coin in selection.ids if coin in SUCCESSORS)
    ids = list(dict.fromkeys([*selection.ids, *successors]))
    # The size of a page must be the same on all of them, or pages would overlap.
    size = min(selection.top, MAX_PER_PAGE)
    count = -(-selection.top // size) if size else 0
    starts = range(0, len(ids), MAX_PER_PAGE)
    by_id: list[Query] = [
        {"ids": ids[i : i + MAX_PER_PAGE], "per_page": MAX_PER_PAGE} for i in starts
    ]
    return by_id + [{"page": number, "per_page": size} for number in range(1, count + 1)]


def fetch(
    source: Source,
    queries: Sequence[Query],
    currency: str,
    report_progress: Callable[[float], None] = lambda _: None,
    *,
    label: str = "",
    seconds: float = FETCH_SECONDS,
) -> FetchResult:
    """Fetches pages in parallel within so many seconds; failures are part of the result.

    `report_progress` is called after each page with the share (0 to 1) of them that have ended.
    `label` is the source's name.
    """
    deadline = Deadline(seconds)
    now = datetime.now(UTC)
    ended = count(1)

    def page(query: Query) -> list[Quote | SkippedCoin] | SourceError:
        try:
            rows = source.markets(currency, deadline=deadline, **query)
            # Here, while other pages are on their way: later it would delay the storing.
            return [parse_row(row, now, label) for row in rows]
        except SourceError as error:
            return error
        finally:
            report_progress(next(ended) / len(queries))

    result = FetchResult()
    with ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="page") as threads:
        run = threads.map if len(queries) > 1 else map  # one page needs no thread
        for index, found in enumerate(run(page, queries)):
            if not isinstance(found, SourceError):
                _add(found, result)
                continue
            result.failures.append(found)
            if found.retry_after is not None:
                result.waits.append(index)
    # A coin can be on two pages, with a usable quote on one of them.
    skipped = dict.fromkeys(result.skipped)
    result.skipped = [one for one in skipped if one.coin not in result.quotes]
    return result


def _add(rows: Sequence[Quote | SkippedCoin], result: FetchResult) -> None:
    """Adds a page's rows to the result; of two quotes of a coin the newer one is kept."""
    quotes = result.quotes
    for row in rows:
        if isinstance(row, SkippedCoin):
            result.skipped.append(row)
        elif (known := quotes.get(row.coin)) is None or known.at < row.at:
            quotes[row.coin] = row


def missing_coins(
    selection: Selection,
    quoted: Container[str],
    skipped: Iterable[SkippedCoin],
    *,
    complete: bool,
) -> list[SkippedCoin]:
    """Returns each coin selected by id that the source omitted, with the likely reason.

    `complete`: no page failed.
    """
    named = {one.coin for one in skipped}
    found = []
    for coin in selection.ids:
        if coin in quoted or coin in named:
            continue
        if not complete:
            reason = "the call for it failed"
        elif coin in SUCCESSORS:
            reason = f"retired by the source; {SUCCESSORS[coin]} is collected in its place"
        else:
            reason = "the source does not know it"
        found.append(SkippedCoin(coin, reason))
    return found
