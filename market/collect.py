"""One update from its claim to its end: fetch, store, merge, close."""

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from market.coingecko import CONNECTIONS, MAX_PER_PAGE, Deadline, SourceError
from market.lease import Lease
from market.ledger import Ledger
from market.quotes import SUCCESSORS, LeftOut, Quote, parse_row
from market.slots import Schedule
from market.store import Store

log = logging.getLogger(__name__)

MAX_TRIES = 10  # an update that kills its worker each time must not do so for ever
FETCH_SECONDS = 45.0  # well inside the task's limit of 90 s


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

    @property
    def retry_after(self) -> float | None:
        """Seconds to wait, when waiting is all that the source asked for."""
        waits = [failure.retry_after for failure in self.failures]
        asked = [wait for wait in waits if wait is not None]
        return max(asked) if asked and len(asked) == len(waits) and not self.quotes else None


@dataclass(frozen=True)
class Outcome:
    """How an update ended (`received`: it is to be tried again later), with its new quotes."""

    state: str
    stored: int


def carry_out(
    lease: Lease,
    *,
    ledger: Ledger,
    store: Store,
    source: Source,
    schedule: Schedule,
    wanted: Wanted,
    currency: str,
    label: str,
) -> Outcome:
    """Carries out a claimed update and closes it in the ledger; raises LeaseLost.

    Quotes are marked with `label`, the source's name. What can't be had is named in the ledger.
    """
    claim = lease.claim
    if claim.slot is not None and schedule.current(datetime.now(UTC)) != claim.slot:
        # An old slot is never filled with a present price.
        late = "its slot was over before "
        if claim.fence == 1:
            return _give_up(lease, ledger, "missed", late + "anyone could fetch it")
        return _give_up(lease, ledger, "failed", late + "a try at it succeeded")
    if claim.tries > MAX_TRIES:
        return _give_up(lease, ledger, "failed", f"{MAX_TRIES} tries at it did not end")
    fetched = fetch(source, wanted, currency)
    hops = {"fetched": datetime.now(UTC)}
    lease.check()
    if (wait := fetched.retry_after) is not None:
        ledger.postpone(claim, wait, str(fetched.failures[0]))
        return Outcome("received", 0)
    quotes = list(fetched.quotes.values())
    latest = store.latest()
    # A row that stands still is no new quote; leaving it out here saves MongoDB from refusing it.
    moved = [quote for quote in quotes if not latest.has(quote)]
    stored = store.record(moved, source=label, recorded_at=hops["fetched"])
    hops["stored"] = datetime.now(UTC)
    lease.check()
    store.describe(quotes, latest)
    store.merge_latest(latest, moved, source=label, recorded_at=hops["fetched"])
    hops["merged"] = datetime.now(UTC)
    for coin, state, successor in _absent(fetched, wanted):
        store.mark(coin, state=state, successor=successor)
    state = "done" if quotes else "failed"
    reasons = [str(failure) for failure in fetched.failures]
    if not quotes and not reasons:
        reasons = ["the source answered no usable quote"]
    ledger.close(
        claim,
        state=state,
        hops=hops,
        counts={
            "asked": len(quotes) + len(fetched.left_out),
            "answered": len(quotes),
            "stored": stored,
            "unchanged": len(quotes) - stored,
            "left_out": len(fetched.left_out),
        },
        left_out=fetched.left_out,
        error="; ".join(dict.fromkeys(reasons)) or None,
    )
    return Outcome(state, stored)


def fetch(source: Source, wanted: Wanted, currency: str) -> Fetched:
    """Everything wanted, its pages side by side, within 45 s; what failed is in the answer."""
    deadline = Deadline(FETCH_SECONDS)
    queries = _queries(wanted)
    now = datetime.now(UTC)
    fetched = Fetched()

    def page(query: Mapping[str, Any]) -> list[Any] | SourceError:
        try:
            return source.markets(currency, deadline=deadline, **query)
        except SourceError as error:
            return error

    with ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="page") as threads:
        pages = list(threads.map(page, queries))
    for found in pages:
        if isinstance(found, SourceError):
            fetched.failures.append(found)
        else:
            _sort_out(found, now, fetched)
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


def _sort_out(rows: Sequence[Any], now: datetime, fetched: Fetched) -> None:
    """Adds rows to what was fetched; of two quotes of a coin the newer one stands."""
    for row in rows:
        quote = parse_row(row, now)
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


def _absent(fetched: Fetched, wanted: Wanted) -> list[tuple[str, str, str | None]]:
    """(coin, state, successor) of the coins wanted by id that a complete answer left out."""
    if fetched.failures:
        return []
    return [
        (coin, "retired" if coin in SUCCESSORS else "missing", SUCCESSORS.get(coin))
        for coin in wanted.ids
        if coin not in fetched.quotes
    ]


def _give_up(lease: Lease, ledger: Ledger, state: str, reason: str) -> Outcome:
    ledger.close(lease.claim, state=state, hops={}, counts={}, left_out=[], error=reason)
    return Outcome(state, 0)
