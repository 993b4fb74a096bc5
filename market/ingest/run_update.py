"""One update from its claim to its end: fetch, sift, store, merge, close."""

import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

from market.ingest.chunk_plan import PAGES, Run
from market.ingest.chunks import Part, joined
from market.ingest.outlier_filter import Sieve, Sifted
from market.ingest.store_quotes import keep
from market.ledger.lease import Lease
from market.ledger.ledger import Claim, Ledger
from market.model.quotes import SUCCESSORS
from market.schedule.slots import Schedule
from market.sources.fallback import Substitute
from market.sources.fetch import NO_QUOTE, Source, Wanted, fetch
from market.storage.quote_store import QuoteStore

MAX_TRIES = 10  # an update that kills its worker each time must not do so for ever
ON_DEMAND = timedelta(seconds=120)  # that an update outside of the schedule may wait in vain
TELL_SECONDS = 0.2  # between two signs of how far it is: each page's took a quick update 7 % longer
OBSTACLE_SECONDS = 5.0  # after which an update that could not be stored is tried again


@dataclass(frozen=True)
class Outcome:
    """How an update ended, with its new quotes.

    `received`: it is to be tried again later, or at once when it `goes_on` with its next part.
    """

    state: str
    stored: int
    goes_on: bool = False


def carry_out(
    lease: Lease,
    *,
    ledger: Ledger,
    store: QuoteStore,
    sieve: Sieve,
    source: Source,
    schedule: Schedule,
    wanted: Wanted,
    currency: str,
    label: str,
    at_once: int = PAGES,
    obstacle: Callable[[], str | None] = lambda: None,
    substitute: Substitute | None = None,
    readable: Callable[[int], None] = lambda _: None,
) -> Outcome:
    """Carries out a claimed update and closes it in the ledger; raises LeaseLost.

    Nothing is written without the lease: `store` and `sieve` are used under it.
    One of more than `at_once` pages is carried out in parts: each run stores so many pages, then
    puts the update back with what it has stored. While `obstacle` gives a reason why nothing can be
    stored, it is put off. Quotes are marked with `label`, the source's name. When the source asks
    to wait, the update is put back, as long as that ends in its time: within its slot, or for one
    on demand within 120 s. When the source gives nothing, and no such wait either, `substitute` is
    asked; its quotes are marked with its own name. What can't be had, and what was not credible, is
    named in the ledger.
    `readable` is called with the number of new quotes once they are stored, before the update ends.
    """
    claim = lease.claim
    store, sieve = store.under(lease.check), sieve.under(lease.check)
    run = Run.following(claim.parts, wanted, at_once)
    before = run.before
    ended = _without_fetching(
        claim, run, ledger=ledger, sieve=sieve, schedule=schedule, obstacle=obstacle
    )
    if ended is not None:
        return ended

    told = time.monotonic()

    def tell(share: float) -> None:
        nonlocal told
        # With the last page comes that it is storing. Two threads here at once both tell: no harm.
        if share < 1 and time.monotonic() - told >= TELL_SECONDS:
            told = time.monotonic()
            ledger.tell(claim, "fetching", run.gone(share))

    with ThreadPoolExecutor(1, thread_name_prefix="known") as beside:
        # Read while the pages are on their way: the writes compare with what changed meanwhile.
        known = beside.submit(lambda: (store.latest(), store.away()))
        fetched = fetch(source, run.queries, currency, tell, label=label)
    lease.check()
    latest, away = known.result()
    may_wait = _in_time(fetched.longest_wait, claim, schedule)
    # A slot that nobody else can fill waits until it is over, and leaves the source in peace.
    patient = claim.slot is not None and (substitute is None or bool(before.coins))
    if fetched.retry_after is not None and (may_wait or patient):
        told_so_far = run.told(before, fetched)
        return _postpone(claim, ledger, fetched.retry_after, told_so_far, limited=True)
    if substitute is not None and not fetched.quotes and not before.coins:
        fetched = substitute.fetch(fetched, wanted, currency, store.coins(), latest)
        lease.check()
    part, is_last = run.part(fetched, may_wait=may_wait)
    ledger.tell(claim, "storing", run.gone(0), joined([before, part]).counts)
    quotes = list(fetched.quotes.values())
    stored = keep(claim.id, quotes, latest, away, store=store, sieve=sieve, source=label)
    number = stored.new + stored.released
    readable(number)
    part = part.counted(stored.sifted.counts(claim.id, quotes, stored.new))
    whole = joined([before, part])
    if not is_last:
        wait = fetched.longest_wait if may_wait else None
        limited = wait is not None
        so_far = run.told(whole, fetched)
        ledger.postpone(claim, wait or 0, so_far, part.document(), limited=limited)
        return Outcome("received", number, goes_on=wait is None)
    for coin, state, successor in _absent(whole, wanted):
        store.mark(coin, state=state, successor=successor)
    if left := _left(whole, wanted, latest.coins):
        store.mark_left(left)
    state = _end(
        claim,
        whole,
        ledger=ledger,
        sieve=sieve,
        sifted=stored.sifted,
        hops=stored.hops,
        source=fetched.instead,
    )
    return Outcome(state, number)


def _without_fetching(
    claim: Claim,
    run: Run,
    *,
    ledger: Ledger,
    sieve: Sieve,
    schedule: Schedule,
    obstacle: Callable[[], str | None],
) -> Outcome | None:
    """How an update ends, or is put off, for which the source need not be asked; else None."""
    if (hopeless := _hopeless(claim, schedule)) is not None:
        if run.before.coins:
            stopped = Part(reasons=[f"{hopeless.reason}; {run.told(run.before)}"])
            whole, ticks = joined([run.before, stopped]), sieve.sifted()
            return Outcome(_end(claim, whole, ledger=ledger, sieve=sieve, sifted=ticks, hops={}), 0)
        return _close(claim, ledger, hopeless.state, hopeless.reason)
    if (reason := obstacle()) is not None:
        return _postpone(claim, ledger, OBSTACLE_SECONDS, reason)
    if claim.slot is not None or run.before.pages:
        return None  # what it has stored itself is gone on with
    return _join(claim, ledger)


def _close(claim: Claim, ledger: Ledger, state: str, reason: str) -> Outcome:
    """Ends an update that stores nothing itself."""
    ledger.close(claim, state=state, hops={}, counts={}, left_out=[], error=reason)
    return Outcome(state, 0)


def _postpone(
    claim: Claim, ledger: Ledger, seconds: float, reason: str, *, limited: bool = False
) -> Outcome:
    """Puts an update back before anything was stored of it."""
    ledger.postpone(claim, seconds, reason, limited=limited)
    return Outcome("received", 0)


@dataclass(frozen=True)
class _Hopeless:
    """How an update ends that nothing can be had for any more, and why."""

    state: str
    reason: str


def _hopeless(claim: Claim, schedule: Schedule) -> _Hopeless | None:
    if claim.slot is not None and schedule.current(claim.now()) > claim.slot:
        # An old slot is never filled with a present price. One that is ahead is not claimed yet.
        late = "its slot was over before "
        if claim.fence == 1:
            return _Hopeless("missed", late + "anyone could fetch it")
        if claim.parts:
            return _Hopeless("done", late + "all of it was had")
        known = f"; {claim.error}" if claim.error else ""
        return _Hopeless("failed", late + "a try at it succeeded" + known)
    if claim.tries > MAX_TRIES:
        return _Hopeless("failed", f"{MAX_TRIES} tries at it did not end")
    return None


def _end(
    claim: Claim,
    whole: Part,
    *,
    ledger: Ledger,
    sieve: Sieve,
    sifted: Sifted,
    hops: Mapping[str, datetime],
    source: str | None = None,
) -> str:
    """Closes an update of which all is stored that was had; its state."""
    state = "done" if whole.coins else "failed"
    reasons = whole.reasons
    if not whole.coins and not reasons:
        reasons = [f"the source {NO_QUOTE}"]
    ledger.close(
        claim,
        state=state,
        hops=hops,
        counts={**sifted.counts(claim.id, (), 0), **whole.counts},
        left_out=whole.left_out,
        ticks=sifted.entries(claim.id),
        error="; ".join(reasons) or None,
        source=source,
    )
    if sifted.ticks:
        sieve.forget()
    return state


def _in_time(wait: float | None, claim: Claim, schedule: Schedule) -> bool:
    """Whether an update that waits so long, in seconds, can still be carried out."""
    then = claim.now() + timedelta(seconds=wait or 0)
    if claim.slot is not None:
        return schedule.current(then) <= claim.slot
    return then <= _latest_end(claim)


def _join(claim: Claim, ledger: Ledger) -> Outcome | None:
    """How an update on demand ends, or waits, without calls of its own; None if it has to fetch.

    While the source asks to wait, each further demand would only be one more call that it refuses.
    """
    if claim.limited and (other := ledger.done_since(claim.waiting_since)) is not None:
        both = f"update {other} stored its quotes: both were waiting for the source"
        return _close(claim, ledger, "done", both)
    found = ledger.leader(claim)
    if found is None:
        return None
    leader, again = found
    if again > _latest_end(claim):
        return None
    wait = max((again - claim.now()).total_seconds(), 0)
    reason = f"update {leader} for the same coins waits for the source already"
    return _postpone(claim, ledger, wait, reason, limited=True)


def _latest_end(claim: Claim) -> datetime:
    """Until when an update on demand waits for the source."""
    if claim.waiting_since > claim.now():  # as MongoDB's clock had it before it was set back
        return claim.now()
    return claim.waiting_since + ON_DEMAND


def _absent(whole: Part, wanted: Wanted) -> list[tuple[str, str, str | None]]:
    """(coin, state, successor) of the coins wanted by id that a complete answer left out."""
    if whole.reasons:
        return []
    quoted = set(whole.coins)
    return [
        (coin, "retired" if coin in SUCCESSORS else "missing", SUCCESSORS.get(coin))
        for coin in wanted.ids
        if coin not in quoted
    ]


def _left(whole: Part, wanted: Wanted, known: Iterable[str]) -> list[str]:
    """The coins that were collected once and that a complete answer no longer has."""
    if whole.reasons or not whole.coins:
        return []
    there = {*whole.coins, *(one.coin for one in whole.left_out), *wanted.ids}
    return [coin for coin in known if coin not in there]
