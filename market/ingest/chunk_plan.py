"""Which pages a run of an update asks for, and what part of the update comes of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from market.ingest.chunks import Document, Part, joined
from market.sources.fetch import Fetched, Query, Wanted, absent, pages

PAGES = 40  # 10,000 coins, which a run fetches and stores well within a task's 90 s


@dataclass(frozen=True)
class Run:
    """A run that takes all pages of an update, or the next `at_once` where there are more.

    `before` is what earlier runs have stored of it.
    """

    wanted: Wanted
    before: Part
    at_once: int = PAGES

    @classmethod
    def following(cls, parts: Iterable[Document], wanted: Wanted, at_once: int) -> "Run":
        """The run that comes after what the ledger has of an update."""
        return cls(wanted, joined(map(Part.of, parts)), at_once)

    @cached_property
    def queries(self) -> Sequence[Query]:
        """The pages that this run asks for."""
        return [self._all[number] for number in self._numbers]

    def gone(self, share: float) -> float:
        """Which share of the update's pages has ended, when that share of this run's has."""
        return (len(self.before.pages) + share * len(self._numbers)) / max(len(self._all), 1)

    def told(self, done: Part, fetched: Fetched | None = None) -> str:
        """How far the update is, and what it waits for."""
        waits = (
            [str(one) for one in fetched.failures if one.retry_after is not None] if fetched else []
        )
        if not self._in_parts and waits and not done.pages:
            return waits[0]
        so_far = f"{len(done.pages)} of {len(self._all)} pages were stored"
        return "; ".join([so_far, *waits[:1]])

    def part(self, fetched: Fetched, *, may_wait: bool = True) -> tuple[Part, bool]:
        """What came of this run's pages, not yet stored, and whether the update ends with it.

        A page for which the source asked to wait is left to a later run, unless there is no time
        for that. An update of which no page gave anything is not gone on with.
        """
        waits = set(fetched.waits) if may_wait else set()
        had = [number for place, number in enumerate(self._numbers) if place not in waits]
        is_last = (
            len(had) == len(self._left)
            or fetched.instead is not None
            or not (fetched.quotes or self.before.coins)
        )
        ended = is_last or not may_wait
        reasons = [str(one) for one in fetched.failures if ended or one.retry_after is None]
        left_out = list(fetched.left_out)
        if is_last:
            left_out += absent(
                self.wanted,
                {*self.before.coins, *fetched.quotes},
                [*self.before.left_out, *left_out],
                complete=not (self.before.reasons or reasons),
            )
        counts = {
            "asked": len(fetched.quotes) + len(left_out),
            "answered": len(fetched.quotes),
            "left_out": len(left_out),
        }
        return Part(had, list(fetched.quotes), left_out, reasons, counts), is_last

    @cached_property
    def _all(self) -> Sequence[Query]:
        return pages(self.wanted)

    @property
    def _in_parts(self) -> bool:
        return len(self._all) > self.at_once

    @cached_property
    def _left(self) -> Sequence[int]:
        ended = set(self.before.pages)
        return [number for number in range(len(self._all)) if number not in ended]

    @property
    def _numbers(self) -> Sequence[int]:
        return self._left[: self.at_once] if self._in_parts else self._left
