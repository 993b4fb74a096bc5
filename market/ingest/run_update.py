"""Runs one claimed update: fetches its quotes, stores them, finishes it in the ledger."""

import time
from collections.abc import Callable, Container, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

from market.ingest.chunks import PAGES_PER_RUN, Chunk, ChunkResult, merge_results
from market.ingest.outlier_filter import FilterResult, OutlierFilter
from market.ingest.store_quotes import StoredQuotes, store_quotes
from market.ledger.lease import Lease
from market.ledger.ledger import Ledger, UpdateClaim
from market.ledger.missed_slots import is_past
from market.model.quotes import SUCCESSORS
from market.schedule.slots import Schedule
from market.sources.fallback import FallbackSource
from market.sources.fetch import NO_QUOTE, FetchResult, Selection, Source, fetch
from market.storage.quote_store import Latest, QuoteStore

MAX_ATTEMPTS = 10  # an update that kills its worker each time must not do so for ever
ON_DEMAND_WAIT = timedelta(seconds=120)  # the longest an update on demand waits for the source
REPORT_SECONDS = 0.2  # between progress reports: one for each page made a quick update 7 % slower
OBSTACLE_SECONDS = 5.0  # until an update that could not be stored is retried


@dataclass(frozen=True)
class UpdateContext:
    """What updates are run with.

    Quotes are marked with `label`, the name of `source`; those of `fallback`, with its own name.
    While `obstacle` returns a reason why nothing can be stored, updates are postponed. `on_stored`
    is called with the number of new quotes once they are readable, before the update ends.
    """

    ledger: Ledger
    store: QuoteStore
    outlier_filter: OutlierFilter
    source: Source
    schedule: Schedule
    selection: Selection
    currency: str
    label: str
    max_pages: int = PAGES_PER_RUN
    obstacle: Callable[[], str | None] = lambda: None
    fallback: FallbackSource | None = None
    on_stored: Callable[[int], None] = lambda _: None


@dataclass(frozen=True)
class Outcome:
    """The state in which a run left its update, with the number of new quotes.

    `received`: the update is retried later, or at once if it `has_more` pages to fetch now.
    """

    state: str
    stored: int
    has_more: bool = False


def run_update(lease: Lease, context: UpdateContext) -> Outcome:
    """Runs a claimed update, and closes it in the ledger or puts it back; raises LeaseLost.

    Nothing is written without the lease. An update of more than `max_pages` takes several runs:
    each stores so many pages, then puts the update back with what it has stored. If the source asks
    to wait, the update is put back, as long as the wait ends in time: within the update's slot, or
    for one on demand within 120 s. If the source gives nothing, nor asks for such a wait, the
    fallback is asked. The ledger names the coins that were skipped, and quotes that were not
    credible.
    """
    run = _Run(lease, context)
    return run.end_without_fetching() or run.fetch_store_and_finish()


class _Run:
    """One run of a claimed update, step by step."""

    def __init__(self, lease: Lease, context: UpdateContext) -> None:
        self._lease = lease
        self._claim = lease.claim
        self._context = context
        self._ledger = context.ledger
        self._store = context.store.under(lease.check)
        self._filter = context.outlier_filter.under(lease.check)
        self._chunk = Chunk.following(lease.claim.parts, context.selection, context.max_pages)
        self._before = self._chunk.before

    def end_without_fetching(self) -> Outcome | None:
        """Closes or postpones an update that need not call the source; None if it has to."""
        claim = self._claim
        if (ended := _give_up(claim, self._context.schedule)) is not None:
            state, reason = ended
            if not self._before.coins:
                return self._close_empty(state, reason)
            stopped = ChunkResult(reasons=[f"{reason}; {self._chunk.status(self._before)}"])
            whole = merge_results([self._before, stopped])
            return Outcome(self._close(whole, self._filter.without_quotes()), 0)
        if (obstacle := self._context.obstacle()) is not None:
            return self._postpone(OBSTACLE_SECONDS, obstacle)
        if claim.slot is not None or self._before.pages:
            return None  # an update that has stored something itself continues
        return self._join()

    def fetch_store_and_finish(self) -> Outcome:
        """Runs the steps of an update that calls the source."""
        fetched, latest, away = self._fetch()
        may_wait = self._is_in_time(fetched.longest_wait)
        # A slot that no fallback can fill waits until it is over, and spares the source.
        fallback = None if self._before.coins else self._context.fallback
        waits = may_wait or (self._claim.slot is not None and fallback is None)
        if fetched.retry_after is not None and waits:
            status = self._chunk.status(self._before, fetched)
            return self._postpone(fetched.retry_after, status, limited=True)
        if fallback is not None and not fetched.quotes:
            selection, currency = self._context.selection, self._context.currency
            fetched = fallback.fetch(fetched, selection, currency, self._store.coins(), latest)
            self._lease.check()
        result, is_last = self._chunk.result(fetched, may_wait=may_wait)
        stored = self._store_quotes(fetched, result, latest, away)
        counts = stored.filtered.counts(self._claim.id, list(fetched.quotes.values()), stored.new)
        result = result.with_counts(counts)
        whole = merge_results([self._before, result])
        number = stored.new + stored.released
        if is_last:
            self._update_coins(whole, latest)
            return Outcome(
                self._close(whole, stored.filtered, stored.hops, fetched.fallback), number
            )
        wait = fetched.longest_wait if may_wait else None
        self._ledger.postpone(
            self._claim,
            wait or 0,
            self._chunk.status(whole, fetched),
            result.to_document(),
            limited=wait is not None,
        )
        return Outcome("received", number, has_more=wait is None)

    def _fetch(self) -> tuple[FetchResult, Latest, Container[str]]:
        """Fetches this run's pages; returns them with what was known of the coins before."""
        reported = time.monotonic()

        def report_progress(share: float) -> None:
            nonlocal reported
            # After the last page the storing is reported. Two threads may report at once: no harm.
            if share < 1 and time.monotonic() - reported >= REPORT_SECONDS:
                reported = time.monotonic()
                self._report("fetching", self._chunk.progress(share))

        context = self._context
        with ThreadPoolExecutor(1, thread_name_prefix="known") as reader:
            # Read while pages are on their way: the writes compare with what changed meanwhile.
            known = reader.submit(lambda: (self._store.latest(), self._store.away()))
            fetched = fetch(
                context.source,
                self._chunk.queries,
                context.currency,
                report_progress,
                label=context.label,
            )
        self._lease.check()
        return fetched, *known.result()

    def _store_quotes(
        self, fetched: FetchResult, result: ChunkResult, latest: Latest, away: Container[str]
    ) -> StoredQuotes:
        counts = merge_results([self._before, result]).counts
        self._report("storing", self._chunk.progress(0), counts)
        stored = store_quotes(
            self._claim.id,
            list(fetched.quotes.values()),
            latest,
            away,
            store=self._store,
            outlier_filter=self._filter,
            source=self._context.label,
        )
        self._context.on_stored(stored.new + stored.released)
        return stored

    def _update_coins(self, whole: ChunkResult, latest: Latest) -> None:
        """Marks coins that a complete update no longer has: missing, retired, or left."""
        if whole.reasons:
            return
        selected = self._context.selection.ids
        quoted = set(whole.coins)
        for coin in selected:
            if coin not in quoted:
                state = "retired" if coin in SUCCESSORS else "missing"
                self._store.mark(coin, state=state, successor=SUCCESSORS.get(coin))
        present = {*quoted, *(one.coin for one in whole.skipped), *selected}
        left = [coin for coin in latest.coins if coin not in present]
        if quoted and left:
            self._store.mark_left(left)

    def _close(
        self,
        whole: ChunkResult,
        filtered: FilterResult,
        hops: Mapping[str, datetime] = MappingProxyType({}),
        fallback: str | None = None,
    ) -> str:
        """Closes an update that has stored all it got; returns its state."""
        state = "done" if whole.coins else "failed"
        reasons = whole.reasons
        if not whole.coins and not reasons:
            reasons = [f"the source {NO_QUOTE}"]
        self._ledger.close(
            self._claim,
            state=state,
            hops=hops,
            counts={**filtered.counts(self._claim.id, (), 0), **whole.counts},
            skipped=whole.skipped,
            ticks=filtered.entries(self._claim.id),
            error="; ".join(reasons) or None,
            source=fallback,
        )
        if filtered.quarantined:
            self._filter.purge()
        return state

    def _close_empty(self, state: str, reason: str) -> Outcome:
        """Closes an update that stores nothing itself."""
        self._ledger.close(self._claim, state=state, hops={}, counts={}, skipped=[], error=reason)
        return Outcome(state, 0)

    def _postpone(self, seconds: float, reason: str, *, limited: bool = False) -> Outcome:
        """Puts an update back of which this run stored nothing."""
        self._ledger.postpone(self._claim, seconds, reason, limited=limited)
        return Outcome("received", 0)

    def _join(self) -> Outcome | None:
        """Ends or postpones an update on demand that another replaces; None if it has to fetch.

        While the source asks to wait, another call would only be refused.
        """
        claim = self._claim
        if claim.limited and (other := self._ledger.done_since(claim.waiting_since)) is not None:
            reason = f"update {other} stored its quotes: both were waiting for the source"
            return self._close_empty("done", reason)
        leader = self._ledger.leader(claim)
        if leader is None:
            return None
        other, check_at = leader
        if check_at > _latest_end(claim):
            return None
        wait = max((check_at - claim.now()).total_seconds(), 0)
        reason = f"update {other} for the same coins waits for the source already"
        return self._postpone(wait, reason, limited=True)

    def _is_in_time(self, wait: float | None) -> bool:
        """Whether the update can still be run after a wait in seconds."""
        then = self._claim.now() + timedelta(seconds=wait or 0)
        if self._claim.slot is not None:
            return self._context.schedule.current(then) <= self._claim.slot
        return then <= _latest_end(self._claim)

    def _report(self, stage: str, share: float, counts: Mapping[str, int] | None = None) -> None:
        self._ledger.report_progress(self._claim, stage, share, counts)


def _give_up(claim: UpdateClaim, schedule: Schedule) -> tuple[str, str] | None:
    """Returns the final state and the reason of an update that can get no quotes; else None."""
    if claim.slot is not None and is_past(claim.slot, schedule, claim.now()):
        over = "its slot was over before"
        if claim.fence == 1:
            return "missed", f"{over} anyone could fetch it"
        if claim.parts:
            return "done", f"{over} all pages were stored"
        reason = f"; {claim.error}" if claim.error else ""
        return "failed", f"{over} an attempt succeeded{reason}"
    if claim.attempts > MAX_ATTEMPTS:
        return "failed", f"{MAX_ATTEMPTS} attempts did not end"
    return None


def _latest_end(claim: UpdateClaim) -> datetime:
    """Returns until when an update on demand waits for the source."""
    if claim.waiting_since > claim.now():  # by MongoDB's clock before it was set back
        return claim.now()
    return claim.waiting_since + ON_DEMAND_WAIT
