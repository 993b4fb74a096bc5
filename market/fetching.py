"""What a source gives for everything wanted: its pages side by side, sorted out."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any, Protocol

from market.coingecko import MAX_PER_PAGE
from market.http_source import CONNECTIONS, Deadline, SourceError
from market.quotes import SUCCESSORS, LeftOut, Quote, parse_row

FETCH_SECONDS = 45.0  # with those of a substitute well inside the task's limit of 90 s
NO_QUOTE = "answered no usable quote"


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
    """What the source gave: the newest quote of each coin, the coins without one, the failures."""

    quotes: dict[str, Quote] = field(default_factory=dict)
    left_out: list[LeftOut] = field(default_factory=list)
    failures: list[SourceError] = field(default_factory=list)
    instead: str | None = None  # the second source's name, when the quotes are from there

    @property
    def retry_after(self) -> float | None:
        """Seconds to wait, when waiting is all that the source asked for."""
        waits = [failure.retry_after for failure in self.failures]
        asked = [wait for wait in waits if wait is not None]
        return max(asked) if asked and len(asked) == len(waits) and not self.quotes else None


def fetch(
    source: Source,
    wanted: Wanted,
    currency: str,
    tell: Callable[[float], None] = lambda _: None,
    *,
    label: str = "",
    seconds: float = FETCH_SECONDS,
) -> Fetched:
    """Everything wanted, its pages side by side, in so many seconds; failures are in the answer.

    `tell` is called after each page with the share (0 to 1) of them that have ended. `label` is
    the source's name.
    """
    deadline = Deadline(seconds)
    queries = _queries(wanted)
    now = datetime.now(UTC)
    fetched = Fetched()
    ended = count(1)

    def page(query: Mapping[str, Any]) -> list[Any] | SourceError:
        try:
            return source.markets(currency, deadline=deadline, **query)
        except SourceError as error:
            return error
        finally:
            tell(next(ended) / len(queries))

    with ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="page") as threads:
        pages = list(threads.map(page, queries))
    for found in pages:
        if isinstance(found, SourceError):
            fetched.failures.append(found)
        else:
            _sort_out(found, now, label, fetched)
    _name_absent(fetched, wanted)
    return fetched


def _queries(wanted: Wanted) -> list[dict[str, Any]]:
    ids = list(
        dict.fromkeys([*wanted.ids, *(SUCCESSORS[i] for i in wanted.ids if i in SUCCESSORS)])
    )
    by_id = [ids[i : i + MAX_PER_PAGE] for i in range(0, len(ids), MAX_PER_PAGE)]
    # The size of a page must be the same on all of them, or pages would overlap.
    size = min(wanted.top, MAX_PER_PAGE)
    pages = -(-wanted.top // size) if size else 0
    return [{"ids": part, "per_page": MAX_PER_PAGE} for part in by_id] + [
        {"page": number, "per_page": size} for number in range(1, pages + 1)
    ]


def _sort_out(rows: Sequence[Any], now: datetime, label: str, fetched: Fetched) -> None:
    """Adds rows to what was fetched; of two quotes of a coin the newer one stands."""
    for row in rows:
        quote = parse_row(row, now, label)
        if isinstance(quote, LeftOut):
            fetched.left_out.append(quote)
        elif quote.coin not in fetched.quotes or fetched.quotes[quote.coin].at < quote.at:
            fetched.quotes[quote.coin] = quote


def _name_absent(fetched: Fetched, wanted: Wanted) -> None:
    """Names each coin wanted by id that the source left out without a word."""
    # A coin can be on two pages, good on one of them.
    fetched.left_out = [
        one for one in dict.fromkeys(fetched.left_out) if one.coin not in fetched.quotes
    ]
    named = {one.coin for one in fetched.left_out}
    for coin in wanted.ids:
        if coin in fetched.quotes or coin in named:
            continue
        if fetched.failures:
            why = "the call for it failed"
        elif coin in SUCCESSORS:
            why = f"retired by the source; {SUCCESSORS[coin]} is collected in its place"
        else:
            why = "the source does not know it"
        fetched.left_out.append(LeftOut(coin, why))
