"""The ledger of updates: each accepted event is here once, and is carried out once.

received -> running -> done | failed; a slot that nobody carried out is `missed`. Work is claimed
by a conditional update: if no document changed, another process won. Times in conditions are
MongoDB's own (`$$NOW`), so that two hosts whose clocks differ never both hold a lease.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pymongo import ASCENDING, DESCENDING, ReturnDocument
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import BulkWriteError, DuplicateKeyError

from market.documents import Update
from market.quotes import LeftOut

LEASE_SECONDS = 15
START_GRACE_SECONDS = 5  # an Update that is `received` for longer has lost its task
SWEEP_AGAIN_SECONDS = 15  # the same Update is not started again before
MAX_LEFT_OUT = 1000  # entries kept; `counts` has the true number
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
OPEN = ("received", "running")
DUPLICATE_KEY = 11000

Document = dict[str, Any]


class LeaseLost(Exception):
    """Another process has claimed the update since; nothing more may be written for it."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to carry out one update, while its fence is the newest."""

    id: str
    fence: int
    tries: int  # claims in a row of which none came to an end, this one included
    slot: datetime | None
    received_at: datetime


class Ledger:
    """The `updates` collection of one database."""

    def __init__(self, database: Database[Document]) -> None:
        self._updates: Collection[Document] = database[Update._get_collection_name()]

    def receive(
        self,
        update_id: str,
        *,
        trigger: str,
        slot: datetime | None,
        hops: Mapping[str, datetime],
    ) -> bool:
        """Enters an event as `received`; False when it is there already."""
        now = datetime.now(UTC)
        try:
            self._updates.insert_one(
                _entry(
                    update_id,
                    trigger=trigger,
                    slot=slot,
                    state="received",
                    received_at=now,
                    hops={**hops, "received": now},
                )
            )
        except DuplicateKeyError:
            return False
        return True

    def enter_missed(self, slots: Mapping[str, datetime]) -> int:
        """Enters slots (by id) that have no update as `missed`; the number entered."""
        if not slots:
            return 0
        now = datetime.now(UTC)
        entries = [
            _entry(
                name,
                trigger="schedule",
                slot=slot,
                state="missed",
                received_at=now,
                finished_at=now,
                error="nothing was running when it was due",
            )
            for name, slot in slots.items()
        ]
        try:
            return len(self._updates.insert_many(entries, ordered=False).inserted_ids)
        except BulkWriteError as error:
            if not only_doubles(error):
                raise
            return int(error.details["nInserted"])

    def claim(self, update_id: str, worker: str, started: datetime) -> Claim | None:
        """Claims an update for 15 s; None when it is closed, held by another, or not yet due."""
        waits = {"$gt": [{"$ifNull": ["$not_before", EPOCH]}, "$$NOW"]}
        document = self._updates.find_one_and_update(
            {
                "_id": update_id,
                "$or": [
                    {"state": "received", "$expr": {"$not": waits}},
                    {"state": "running", "$expr": {"$lte": ["$lease_until", "$$NOW"]}},
                ],
            },
            [
                {
                    "$set": {
                        "state": "running",
                        "fence": {"$add": ["$fence", 1]},
                        "tries": {"$add": ["$tries", 1]},
                        "worker": {"$literal": worker},
                        "lease_until": _from_now(LEASE_SECONDS),
                        "hops.started": started,
                        "hops.claimed": "$$NOW",
                    }
                }
            ],
            return_document=ReturnDocument.AFTER,
            projection={"_id": 0, "fence": 1, "tries": 1, "slot": 1, "received_at": 1},
        )
        return Claim(update_id, **document) if document else None

    def renew(self, claim: Claim) -> None:
        """Lengthens the lease to 15 s from now; raises LeaseLost."""
        self._write(claim, [{"$set": {"lease_until": _from_now(LEASE_SECONDS)}}])

    def close(
        self,
        claim: Claim,
        *,
        state: str,
        hops: Mapping[str, datetime],
        counts: Mapping[str, int],
        left_out: Sequence[LeftOut],
        error: str | None,
    ) -> None:
        """Ends an update as `done`, `failed` or `missed`; raises LeaseLost."""
        now = datetime.now(UTC)
        fields: Document = {f"hops.{name}": at for name, at in hops.items()}
        fields |= {
            "state": state,
            "finished_at": now,
            "hops.finished": now,
            "counts": dict(counts),
            "left_out": [
                {"coin": one.coin, "reason": one.reason} for one in left_out[:MAX_LEFT_OUT]
            ],
            "error": error,
            "lease_until": None,
        }
        self._write(claim, {"$set": fields})

    def postpone(self, claim: Claim, seconds: float, reason: str) -> None:
        """Puts an update back to `received`, to be tried in `seconds`; raises LeaseLost."""
        fields = {
            "state": "received",
            "tries": 0,
            "lease_until": None,
            "not_before": _from_now(seconds),
            "error": {"$literal": reason},
        }
        self._write(claim, [{"$set": fields}])

    def sweep(self) -> list[str]:
        """The ids of open updates that nobody works on; each is given out once in 15 s."""
        lost = {
            "state": "received",
            "$expr": {
                "$and": [
                    {"$lte": ["$received_at", _from_now(-START_GRACE_SECONDS)]},
                    {"$lte": [{"$ifNull": ["$not_before", EPOCH]}, "$$NOW"]},
                ]
            },
        }
        orphaned = {"state": "running", "$expr": {"$lte": ["$lease_until", "$$NOW"]}}
        unswept = {"$lte": [{"$ifNull": ["$swept_at", EPOCH]}, _from_now(-SWEEP_AGAIN_SECONDS)]}
        found = []
        for document in self._updates.find({"$or": [lost, orphaned]}, {"_id": 1}).limit(100):
            taken = self._updates.update_one(
                {"_id": document["_id"], "state": {"$in": OPEN}, "$expr": unswept},
                [{"$set": {"swept_at": "$$NOW"}}],
            )
            if taken.modified_count:
                found.append(document["_id"])
        return found

    def reopen(self, update_id: str) -> bool:
        """Puts a failed update back to `received`; False when it is not failed."""
        return bool(
            self._updates.update_one(
                {"_id": update_id, "state": "failed"},
                {
                    "$set": {
                        "state": "received",
                        "tries": 0,
                        "finished_at": None,
                        "not_before": None,
                    }
                },
            ).modified_count
        )

    def get(self, update_id: str) -> Document | None:
        """One update as it is stored."""
        return self._updates.find_one({"_id": update_id})

    def newest(self, *, skip: int = 0, limit: int = 20) -> list[Document]:
        """Updates as they are stored, the newest received first."""
        return list(self._updates.find().sort("received_at", DESCENDING).skip(skip).limit(limit))

    def count(self) -> int:
        """How many updates are in the ledger, by the collection's own count."""
        return self._updates.estimated_document_count()

    def newest_slot(self, before: datetime) -> datetime | None:
        """The newest slot before a moment that has an update of whatever state."""
        return self._slot({"$type": "date", "$lt": before}, DESCENDING)

    def oldest_slot(self) -> datetime | None:
        """The first slot of all that has an update."""
        return self._slot({"$type": "date"}, ASCENDING)

    def known(self, update_ids: Iterable[str]) -> set[str]:
        """Those of the ids that are in the ledger."""
        found = self._updates.find({"_id": {"$in": list(update_ids)}}, {"_id": 1})
        return {document["_id"] for document in found}

    def last_success(self) -> datetime | None:
        """When the newest update that ended well ended."""
        document = self._updates.find_one(
            {"state": "done"}, {"finished_at": 1}, sort=[("received_at", DESCENDING)]
        )
        return document["finished_at"] if document else None

    def _slot(self, which: Document, order: int) -> datetime | None:
        document = self._updates.find_one({"slot": which}, {"slot": 1}, sort=[("slot", order)])
        return document["slot"] if document else None

    def _write(self, claim: Claim, change: Document | list[Document]) -> None:
        held = {"_id": claim.id, "state": "running", "fence": claim.fence}
        if not self._updates.update_one(held, change).matched_count:
            raise LeaseLost(f"update {claim.id} was claimed by another since fence {claim.fence}")


def only_doubles(error: BulkWriteError) -> bool:
    """Whether what was refused is there already, and the rest is safe with the majority."""
    return not error.details["writeConcernErrors"] and all(
        one["code"] == DUPLICATE_KEY for one in error.details["writeErrors"]
    )


def _entry(update_id: str, **fields: Any) -> Document:
    document: Document = Update(id=update_id, **fields).to_mongo()
    return {"slot": None, "finished_at": None, "error": None, **document}


def _from_now(seconds: float) -> Document:
    return {"$add": ["$$NOW", round(timedelta(seconds=seconds) / timedelta(milliseconds=1))]}
