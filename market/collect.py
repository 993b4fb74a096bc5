"""One update from its claim to its end: fetch, sift, store, merge, close."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from market.fetching import NO_QUOTE, Fetched, Source, Wanted, fetch
from market.lease import Lease
from market.ledger import Claim, Ledger
from market.quotes import SUCCESSORS
from market.sieve import Sieve
from market.slots import Schedule
from market.store import Store
from market.substitute import Substitute

log = logging.getLogger(__name__)

MAX_TRIES = 10  # an update that kills its worker each time must not do so for ever
OBSTACLE_SECONDS = 5.0  # after which an update that could not be stored is tried again


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
    sieve: Sieve,
    source: Source,
    schedule: Schedule,
    wanted: Wanted,
    currency: str,
    label: str,
    obstacle: Callable[[], str | None] = lambda: None,
    substitute: Substitute | None = None,
) -> Outcome:
    """Carries out a claimed update and closes it in the ledger; raises LeaseLost.

    While `obstacle` gives a reason why nothing can be stored, it is put off. Quotes are marked
    with `label`, the source's name. When the source gives none, and asks for no wait that ends
    within the slot, `substitute` is asked; its quotes are marked with its own name. What can't be
    had, and what was not credible, is named in the ledger.
    """
    claim = lease.claim
    if claim.slot is not None and schedule.current(datetime.now(UTC)) != claim.slot:
        # An old slot is never filled with a present price.
        late = "its slot was over before "
        if claim.fence == 1:
            return _give_up(lease, ledger, "missed", late + "anyone could fetch it")
        known = f"; {claim.error}" if claim.error else ""
        return _give_up(lease, ledger, "failed", late + "a try at it succeeded" + known)
    if claim.tries > MAX_TRIES:
        return _give_up(lease, ledger, "failed", f"{MAX_TRIES} tries at it did not end")
    if (reason := obstacle()) is not None:
        ledger.postpone(claim, OBSTACLE_SECONDS, reason)
        return Outcome("received", 0)
    fetched = fetch(
        source, wanted, currency, lambda share: ledger.tell(claim, "fetching", share), label=label
    )
    lease.check()
    wait = fetched.retry_after
    if wait is not None and (substitute is None or _in_time(wait, claim, schedule)):
        ledger.postpone(claim, wait, str(fetched.failures[0]))
        return Outcome("received", 0)
    latest = store.latest()
    if substitute is not None and not fetched.quotes:
        fetched = substitute.fetch(fetched, wanted, currency, store.coins(), latest)
        lease.check()
    hops = {"fetched": datetime.now(UTC)}
    quotes = list(fetched.quotes.values())
    counts = {
        "asked": len(quotes) + len(fetched.left_out),
        "answered": len(quotes),
        "left_out": len(fetched.left_out),
    }
    ledger.tell(claim, "storing", 0, counts)
    # A row that stands still is no new quote; leaving it out here saves MongoDB from refusing it.
    moved = [quote for quote in quotes if not latest.has(quote)]
    sifted = sieve.sift(lease, moved, latest)
    # Released ones go first, for they are older. Recorded now: what was known before stays so.
    released = store.record(sifted.released, source=label, recorded_at=hops["fetched"])
    stored = store.record(sifted.good, source=label, recorded_at=hops["fetched"])
    hops["stored"] = datetime.now(UTC)
    lease.check()
    store.describe(quotes, latest)
    store.merge_latest(latest, sifted.by_time, source=label, recorded_at=hops["fetched"])
    hops["merged"] = datetime.now(UTC)
    for coin, state, successor in _absent(fetched, wanted):
        store.mark(coin, state=state, successor=successor)
    if left := _left(fetched, wanted, latest.coins):
        store.mark_left(left)
    state = "done" if quotes else "failed"
    reasons = [str(failure) for failure in fetched.failures]
    if not quotes and not reasons:
        reasons = [f"the source {NO_QUOTE}"]
    ledger.close(
        claim,
        state=state,
        hops=hops,
        counts=counts | sifted.counts(claim.id, quotes, stored),
        left_out=fetched.left_out,
        ticks=sifted.entries(claim.id),
        error="; ".join(dict.fromkeys(reasons)) or None,
        source=fetched.instead,
    )
    if sifted.ticks:
        sieve.forget()
    return Outcome(state, stored + released)


def _in_time(wait: float, claim: Claim, schedule: Schedule) -> bool:
    """Whether an update that waits so long can still be carried out."""
    then = datetime.now(UTC) + timedelta(seconds=wait)
    return claim.slot is None or schedule.current(then) == claim.slot


def _absent(fetched: Fetched, wanted: Wanted) -> list[tuple[str, str, str | None]]:
    """(coin, state, successor) of the coins wanted by id that a complete answer left out."""
    if fetched.failures:
        return []
    return [
        (coin, "retired" if coin in SUCCESSORS else "missing", SUCCESSORS.get(coin))
        for coin in wanted.ids
        if coin not in fetched.quotes
    ]


def _left(fetched: Fetched, wanted: Wanted, known: Iterable[str]) -> list[str]:
    """The coins that were collected once and that a complete answer no longer has."""
    if fetched.failures or not fetched.quotes:
        return []
    named = {one.coin for one in fetched.left_out}
    there = fetched.quotes.keys() | named | set(wanted.ids)
    return [coin for coin in known if coin not in there]


def _give_up(lease: Lease, ledger: Ledger, state: str, reason: str) -> Outcome:
    ledger.close(lease.claim, state=state, hops={}, counts={}, left_out=[], error=reason)
    return Outcome(state, 0)
