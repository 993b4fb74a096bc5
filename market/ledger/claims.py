"""Lets one worker at a time work on a stored document, by a lease and a fencing token.

A document waits, runs under a lease, and ends or waits again. Work is claimed by a conditional
update: if no document changed, another process won. Each claim raises the document's `fence`, and
each later write names it, so a worker that lost its claim changes nothing. Times in conditions are
MongoDB's own (`$$NOW`), so that two hosts whose clocks differ never both hold a lease.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from pymongo import ReturnDocument
from pymongo.collection import Collection

from market.schedule.clock import elapsed

SWEEP_AGAIN_SECONDS = 15  # before a sweep returns the same document again
CLOCK_JUMP_SECONDS = 60  # a time further ahead than it can be was written before the clock jumped
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Document = dict[str, Any]
Change = Mapping[str, Any] | Sequence[Mapping[str, Any]]


class LeaseLost(Exception):
    """Another process has, or may have, the claim: its former holder must not write any more."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to work on one document, while its fence is the newest."""

    id: str
    fence: int
    attempts: int  # claims in a row that came to no end, this one included
    # `elapsed` of this process before it sent the claim: its lease never outlasts MongoDB's.
    asked: float = field(default_factory=elapsed, kw_only=True)


class ClaimQueue:
    """A collection whose documents are claimed; a subclass names its states and times."""

    noun: ClassVar[str]  # what a document is called in errors
    waiting: ClassVar[str]  # the state of a document that may be claimed
    lease_seconds: ClassVar[float]
    max_wait: ClassVar[float]  # the longest postponement, in seconds

    def __init__(self, collection: Collection[Document]) -> None:
        self._collection = collection

    def renew(self, claim: Claim) -> None:
        """Extends the lease to its full length from now; raises LeaseLost."""
        self._write(claim, [{"$set": {"lease_until": from_now(self.lease_seconds)}}])

    def check(self, claim: Claim, renewed: float | None = None) -> None:
        """Raises LeaseLost once the lease of a claim, or of its last renewal, is over."""
        if elapsed() >= (claim.asked if renewed is None else renewed) + self.lease_seconds:
            raise LeaseLost(f"the lease on {self.noun} {claim.id} expired")

    def _claim(
        self,
        which: Document,
        fields: Document,
        projection: Sequence[str],
        sort: Sequence[tuple[str, int]] | None = None,
    ) -> Document | None:
        """Claims a document and sets `fields`; returns it, with `asked`, or None."""
        asked = elapsed()
        claimed = {
            "state": "running",
            "fence": {"$add": ["$fence", 1]},
            "tries": {"$add": ["$tries", 1]},
            "lease_until": from_now(self.lease_seconds),
        }
        document = self._collection.find_one_and_update(
            which | self._claimable(),
            [{"$set": claimed | fields}],
            projection=projection,
            sort=sort,
            return_document=ReturnDocument.AFTER,
        )
        return document and {**document, "asked": asked}

    def _claimable(self) -> Document:
        """A filter: documents whose wait is over, or whose worker let its lease expire."""
        return {
            "$or": [
                {"state": self.waiting, "$expr": has_passed("not_before", self.max_wait)},
                {"state": "running", "$expr": has_passed("lease_until", self.lease_seconds)},
            ]
        }

    def _sweep(self, which: Document) -> list[str]:
        """Returns the ids of claimable documents, each at most once in 15 s."""
        unswept = has_passed("swept_at", 0, since=SWEEP_AGAIN_SECONDS)
        is_open = {"state": {"$in": [self.waiting, "running"]}, "$expr": unswept}
        return [
            document["_id"]
            for document in self._collection.find(which | self._claimable(), {"_id": 1}).limit(100)
            if self._collection.update_one(
                {"_id": document["_id"]} | is_open, [{"$set": {"swept_at": "$$NOW"}}]
            ).modified_count
        ]

    def _postpone(self, claim: Claim, seconds: float, reason: str | None, fields: Document) -> None:
        """Puts a document back to wait for `seconds`, with further fields; raises LeaseLost."""
        waits = {
            "state": self.waiting,
            "lease_until": None,
            "not_before": from_now(seconds),
            "error": {"$literal": reason},
        }
        self._write(claim, [{"$set": waits | fields}])

    def _write(self, claim: Claim, change: Change) -> None:
        if not self._collection.update_one(held_by(claim), change).matched_count:
            raise LeaseLost(
                f"another worker claimed {self.noun} {claim.id} after fence {claim.fence}"
            )


def held_by(claim: Claim) -> Document:
    """A filter: the claim's document, unless another worker claimed it since."""
    return {"_id": claim.id, "state": "running", "fence": claim.fence}


def from_now(seconds: float) -> Document:
    """An expression: the time by MongoDB's clock in so many seconds, or before them if negative."""
    return {"$add": ["$$NOW", round(timedelta(seconds=seconds) / timedelta(milliseconds=1))]}


def has_passed(field: str, longest: float, *, since: float = 0) -> Document:
    """An expression: whether a time passed `since` seconds ago, or is null.

    A time further ahead than `longest` was written before the clock jumped back. It counts as
    passed, or a jump of an hour would hold up an update for that hour.
    """
    at = {"$ifNull": [f"${field}", EPOCH]}
    return {
        "$or": [
            {"$lte": [at, from_now(-since)]},
            {"$gt": [at, from_now(longest + CLOCK_JUMP_SECONDS)]},
        ]
    }
