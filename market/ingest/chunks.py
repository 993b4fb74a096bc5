"""What is had of an update so far: a large one is carried out in parts."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from market.model.quotes import SkippedCoin

SUMMED = ("asked", "answered", "stored", "unchanged", "left_out")

Document = dict[str, Any]


@dataclass(frozen=True)
class Part:
    """Pages, by their numbers, that were answered or failed for good, with what came of them.

    `coins` were quoted, those `left_out` were not; `reasons` say which pages failed, and why.
    `counts` are those of an update, but for its ticks.
    """

    pages: Sequence[int] = ()
    coins: Sequence[str] = ()
    left_out: Sequence[SkippedCoin] = ()
    reasons: Sequence[str] = ()
    counts: Mapping[str, int] = field(default_factory=dict)

    def counted(self, counts: Mapping[str, int]) -> "Part":
        """The part with further counts; those that are not summed up are left away."""
        summed = {name: number for name, number in counts.items() if name in SUMMED}
        return replace(self, counts={**self.counts, **summed})

    def document(self) -> Document:
        """The part as the ledger keeps it while the update is open."""
        return {
            "pages": list(self.pages),
            "coins": list(self.coins),
            "left_out": [[one.coin, one.reason] for one in self.left_out],
            "reasons": list(self.reasons),
            "counts": dict(self.counts),
        }

    @classmethod
    def of(cls, document: Document) -> "Part":
        """The part that was kept so."""
        left_out = [SkippedCoin(coin, reason) for coin, reason in document["left_out"]]
        return cls(**{**document, "left_out": left_out})


def joined(parts: Iterable[Part]) -> Part:
    """Parts of one update as one; a coin that any of them quoted is not left out."""
    known = list(parts)
    coins = dict.fromkeys(coin for part in known for coin in part.coins)
    left_out = dict.fromkeys(one for part in known for one in part.left_out)
    counts: Counter[str] = Counter()
    for part in known:
        counts.update(part.counts)
    return Part(
        pages=[page for part in known for page in part.pages],
        coins=list(coins),
        left_out=[one for one in left_out if one.coin not in coins],
        reasons=list(dict.fromkeys(reason for part in known for reason in part.reasons)),
        counts=dict(counts),
    )
