"""One update from its claim to its end: fetch, sift, store, merge, close."""

import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from market.fetching import NO_QUOTE, Source, Wanted, fetch
from market.lease import Lease
from market.ledger import Claim, Ledger
from market.parts import Part, joined
from market.quotes import SUCCESSORS
from market.runs import PAGES, Run
from market.sieve import Sieve, Sifted
from market.slots import Schedule
from market.store import Store
from market.storing import keep
from market.substitute import Substitute

MAX_TRIES = 10  # an update that kills its worker each time must not do so for ever
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
    store: Store,
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

    One of more than `at_once` pages is carried out in parts: each run stores so many pages, then
    puts the update back with what it has stored. While `obstacle` gives a reason why nothing can be
    stored, it is put off. Quotes are marked with `label`, the source's name. When the source gives
    none, and asks for no wait that ends within the slot, `substitute` is asked; its quotes are
    marked with its own name. What can't be had, and what was not credible, is named in the ledger.
    `readable` is called with the number of new quotes once they are stored, before the update ends.
    """
    claim = lease.claim
    run = Run.following(claim.parts, wanted, at_once)
    before = run.before
    if (hopeless := _hopeless(claim, schedule)) is not None:
        if before.coins:
            stopped = Part(reasons=[f"{hopeless.reason}; {run.told(before)}"])
            whole, ticks = joined([before, stopped]), sieve.sifted()
            state = _end(claim, whole, ledger=ledger, sieve=sieve, sifted=ticks, hops={})
            return Outcome(state, 0)
        ledger.close(
            claim, state=hopeless.state, hops={}, counts={}, left_out=[], error=hopeless.reason
        )
        return Outcome(hopeless.state, 0)
    if (reason := obstacle()) is not None:
        ledger.postpone(claim, OBSTACLE_SECONDS, reason)
        return Outcome("received", 0)

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
    wait = fetched.retry_after
    if wait is not None and (substitute is None or before.coins or _in_time(wait, claim, schedule)):
        ledger.postpone(claim, wait, run.told(before, fetched))
        return Outcome("received", 0)
    if substitute is not None and not fetched.quotes and not before.coins:
        fetched = substitute.fetch(fetched, wanted, currency, store.coins(), latest)
        lease.check()
    part, is_last = run.part(fetched)
    ledger.tell(claim, "storing", run.gone(0), joined([before, part]).counts)
    quotes = list(fetched.quotes.values())
    stored = keep(lease, quotes, latest, away, store=store, sieve=sieve, source=label)
    number = stored.new + stored.released
    readable(number)
    part = part.counted(stored.sifted.counts(claim.id, quotes, stored.new))
    whole = joined([before, part])
    if not is_last:
        wait = fetched.longest_wait
        ledger.postpone(claim, wait or 0, run.told(whole, fetched), part.document())
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


@dataclass(frozen=True)
class _Hopeless:
    """How an update ends that nothing can be had for any more, and why."""

    state: str
    reason: str


def _hopeless(claim: Claim, schedule: Schedule) -> _Hopeless | None:
    if claim.slot is not None and schedule.current(datetime.now(UTC)) != claim.slot:
        # An old slot is never filled with a present price.
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


def _in_time(wait: float, claim: Claim, schedule: Schedule) -> bool:
    """Whether an update that waits so long can still be carried out."""
    then = datetime.now(UTC) + timedelta(seconds=wait)
    return claim.slot is None or schedule.current(then) == claim.slot


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
