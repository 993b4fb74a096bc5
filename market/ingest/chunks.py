"""Splits a large update into chunks of pages, one for each run, and merges their results."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from market.model.quotes import SkippedCoin
from market.sources.fetch import FetchResult, Query, Selection, missing_coins, page_queries

PAGES_PER_RUN = 40  # 10,000 coins, which a run fetches and stores well within a task's 90 s
SUMMED = ("asked", "answered", "stored", "unchanged", "left_out")

Document = dict[str, Any]


@dataclass(frozen=True)
class ChunkResult:
    """Pages, by their numbers, that were answered or failed for good, with what they gave.

    `coins` were quoted, those `skipped` were not; `reasons` say which pages failed, and why.
    `counts` are those of an update, except for its quarantined quotes.
    """

    pages: Sequence[int] = ()
    coins: Sequence[str] = ()
    skipped: Sequence[SkippedCoin] = ()
    reasons: Sequence[str] = ()
    counts: Mapping[str, int] = field(default_factory=dict)

    def with_counts(self, counts: Mapping[str, int]) -> "ChunkResult":
        """Returns the result with further counts, without those that are not summed."""
        summed = {name: number for name, number in counts.items() if name in SUMMED}
        return replace(self, counts={**self.counts, **summed})

    def to_document(self) -> Document:
        """Returns the result as the ledger stores it while the update is open."""
        return {
            "pages": list(self.pages),
            "coins": list(self.coins),
            "left_out": [[one.coin, one.reason] for one in self.skipped],
            "reasons": list(self.reasons),
            "counts": dict(self.counts),
        }

    @classmethod
    def from_document(cls, document: Document) -> "ChunkResult":
        """Restores a result that the ledger stored."""
        skipped = [SkippedCoin(coin, reason) for coin, reason in document["left_out"]]
        fields = {name: value for name, value in document.items() if name != "left_out"}
        return cls(**fields, skipped=skipped)


def merge_results(results: Iterable[ChunkResult]) -> ChunkResult:
    """Merges an update's results; a coin that any of them quoted is not skipped."""
    known = list(results)
    coins = dict.fromkeys(coin for result in known for coin in result.coins)
    skipped = dict.fromkeys(one for result in known for one in result.skipped)
    counts: Counter[str] = Counter()
    for result in known:
        counts.update(result.counts)
    return ChunkResult(
        pages=[page for result in known for page in result.pages],
        coins=list(coins),
        skipped=[one for one in skipped if one.coin not in coins],
        reasons=list(dict.fromkeys(reason for result in known for reason in result.reasons)),
        counts=dict(counts),
    )


@dataclass(frozen=True)
class Chunk:
    """The pages of one run: all that are left of an update, or the next `max_pages` of a large one.

    `before` is what earlier runs have stored of it.
    """

    selection: Selection
    before: ChunkResult
    max_pages: int = PAGES_PER_RUN

    @classmethod
    def following(cls, parts: Iterable[Document], selection: Selection, max_pages: int) -> "Chunk":
        """Returns the chunk that follows the parts of an update in the ledger."""
        return cls(selection, merge_results(map(ChunkResult.from_document, parts)), max_pages)

    @cached_property
    def queries(self) -> Sequence[Query]:
        """The queries of this run's pages."""
        return [self._all[number] for number in self._numbers]

    def progress(self, share: float) -> float:
        """Returns the share of the update's pages that ended, given that of this run's pages."""
        return (len(self.before.pages) + share * len(self._numbers)) / max(len(self._all), 1)

    def status(self, done: ChunkResult, fetched: FetchResult | None = None) -> str:
        """Describes how far the update is, and what it waits for."""
        failures = fetched.failures if fetched else []
        waits = [str(one) for one in failures if one.retry_after is not None]
        if not self._is_large and waits and not done.pages:
            return waits[0]
        stored = f"{len(done.pages)} of {len(self._all)} pages were stored"
        return "; ".join([stored, *waits[:1]])

    def result(self, fetched: FetchResult, *, may_wait: bool = True) -> tuple[ChunkResult, bool]:
        """Returns the result of this run's pages, not yet stored, and whether it is the last.

        A page for which the source asked to wait is left to a later run, unless there is no time
        for that. An update of which no page gave anything ends.
        """
        waits = set(fetched.waits) if may_wait else set()
        ended = [number for index, number in enumerate(self._numbers) if index not in waits]
        is_last = (
            len(ended) == len(self._left)
            or fetched.fallback is not None
            or not (fetched.quotes or self.before.coins)
        )
        reasons = [
            str(one)
            for one in fetched.failures
            if is_last or not may_wait or one.retry_after is None
        ]
        skipped = list(fetched.skipped)
        if is_last:
            skipped += missing_coins(
                self.selection,
                {*self.before.coins, *fetched.quotes},
                [*self.before.skipped, *skipped],
                complete=not (self.before.reasons or reasons),
            )
        counts = {
            "asked": len(fetched.quotes) + len(skipped),
            "answered": len(fetched.quotes),
            "left_out": len(skipped),
        }
        return ChunkResult(ended, list(fetched.quotes), skipped, reasons, counts), is_last

    @cached_property
    def _all(self) -> Sequence[Query]:
        return page_queries(self.selection)

    @property
    def _is_large(self) -> bool:
        return len(self._all) > self.max_pages

    @cached_property
    def _left(self) -> Sequence[int]:
        ended = set(self.before.pages)
        return [number for number in range(len(self._all)) if number not in ended]

    @property
    def _numbers(self) -> Sequence[int]:
        return self._left[: self.max_pages] if self._is_large else self._left
