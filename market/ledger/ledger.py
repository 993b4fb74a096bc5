"""The ledger of updates: each accepted event is here once, and is carried out once.

received -> running -> done | failed; a slot that nobody carried out is `missed`. Work is claimed
by a conditional update: if no document changed, another process won. Times in conditions are
MongoDB's own (`$$NOW`), so that two hosts whose clocks differ never both hold a lease, and an
update whose slot is still ahead waits for it, whoever's clock was early.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from pymongo import ASCENDING, DESCENDING, ReturnDocument, WriteConcern
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import BulkWriteError, DuplicateKeyError, PyMongoError

from market.ledger.event_log import last_success, newest_number
from market.model.documents import UPDATE_STATES, UPDATE_TRIGGERS, Update
from market.model.quotes import SkippedCoin
from market.schedule.clock import elapsed, server_time
from market.storage.database import only_duplicates

LEASE_SECONDS = 15
START_GRACE_SECONDS = 5  # an Update that is `received` for longer has lost its task
SWEEP_AGAIN_SECONDS = 15  # the same Update is not started again before
LONGEST_WAIT_SECONDS = 3600  # that a source may ask for
AHEAD_SECONDS = 5  # by which a slot may be ahead of MongoDB's clock, and is only early
JOIN_AGAIN_SECONDS = 2  # until an update looks again whether the one that it joined has ended
LOOK_BACK = timedelta(minutes=10)  # an update that was received before does not run any more
CLOCK_JUMP_SECONDS = 60  # what lies further ahead than it can was written before the clock jumped
MAX_LEFT_OUT = 1000  # entries kept; `counts` has the true number
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
OPEN = ("received", "running")
CLAIMED = (
    "fence",
    "tries",
    "slot",
    "received_at",
    "error",
    "parts",
    "waiting_since",
    "limited",
)  # what a claim says of its update
HAS_COME = {"$lte": ["$slot", "$$NOW"]}  # or there is no slot: null comes before every date
HAS_PARTS = {"$gt": [{"$size": {"$ifNull": ["$parts", []]}}, 0]}
WITHOUT_PARTS = {"parts": 0}  # they name thousands of coins, for the next run alone

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
    error: str | None = None  # why the last try came to nothing
    parts: Sequence[Document] = field(
        default_factory=list
    )  # what earlier runs have stored of a large update
    limited: bool | None = None  # whether it was put back since the source limits the calls
    # By MongoDB's clock: when it was first claimed, or the newest of its parts was stored.
    waiting_since: datetime = field(default_factory=lambda: datetime.now(UTC))
    claimed_at: datetime = field(default_factory=lambda: datetime.now(UTC))  # by MongoDB's clock
    # By this process's own `elapsed`, before it asked: the lease is never longer than MongoDB's.
    asked: float = field(default_factory=elapsed)

    def now(self) -> datetime:
        """What time it is by MongoDB's clock: that of the claim, with what has passed since."""
        return self.claimed_at + timedelta(seconds=elapsed() - self.asked)


class Ledger:
    """The `updates` collection of one database."""

    def __init__(self, database: Database[Document]) -> None:
        self._database = database
        self._updates: Collection[Document] = database[Update._get_collection_name()]
        self._unacknowledged = self._updates.with_options(write_concern=WriteConcern(w=0))

    def now(self) -> datetime:
        """What time it is by MongoDB's clock, which says what slot it is for all hosts."""
        return server_time(self._database)

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
        entered = 0
        while entries:
            for number, entry in enumerate(entries, newest_number(self._updates) + 1):
                entry |= {"number": number, "numbers": [number]}
            try:
                # In order: a number behind one that was not given could be given later.
                return entered + len(self._updates.insert_many(entries).inserted_ids)
            except BulkWriteError as error:
                if not only_duplicates(error):
                    raise
                entered += int(error.details["nInserted"])
                [double] = error.details["writeErrors"]
                is_there = "_id" in double["keyPattern"]  # else its number was given meanwhile
                entries = entries[double["index"] + is_there :]
        return entered

    def claim(self, update_id: str, worker: str, started: datetime) -> Claim | None:
        """Claims an update for 15 s; None when it is closed, held by another, or not yet due."""
        asked = elapsed()
        document = self._updates.find_one_and_update(
            {
                "_id": update_id,
                "$expr": HAS_COME,
                "$or": [
                    {"state": "received", "$expr": over("not_before", LONGEST_WAIT_SECONDS)},
                    {"state": "running", "$expr": over("lease_until", LEASE_SECONDS)},
                ],
            },
            [
                {
                    "$set": {
                        "state": "running",
                        "fence": {"$add": ["$fence", 1]},
                        "tries": {"$add": ["$tries", 1]},
                        "worker": {"$literal": worker},
                        "lease_until": from_now(LEASE_SECONDS),
                        "waiting_since": {"$ifNull": ["$waiting_since", "$$NOW"]},
                        "fetching_since": {"$cond": [HAS_PARTS, "$fetching_since", "$$NOW"]},
                        "hops.started": started,
                        "hops.claimed": "$$NOW",
                    }
                }
            ],
            return_document=ReturnDocument.AFTER,
            projection={"_id": 0, "hops.claimed": 1} | dict.fromkeys(CLAIMED, 1),
        )
        if document is None:
            return None
        claimed_at = document.pop("hops")["claimed"]
        return Claim(update_id, **document, claimed_at=claimed_at, asked=asked)

    def seconds_early(self, update_id: str) -> float | None:
        """How long an open update has to wait for its slot, when that is at hand; else None."""
        document = self._updates.find_one(
            {"_id": update_id, "state": {"$in": OPEN}, "slot": {"$type": "date"}}, {"slot": 1}
        )
        if document is None:
            return None
        ahead = (document["slot"] - self.now()).total_seconds()
        return ahead if 0 < ahead <= AHEAD_SECONDS else None

    def renew(self, claim: Claim) -> None:
        """Lengthens the lease to 15 s from now; raises LeaseLost."""
        self._write(claim, [{"$set": {"lease_until": from_now(LEASE_SECONDS)}}])

    def close(
        self,
        claim: Claim,
        *,
        state: str,
        hops: Mapping[str, datetime],
        counts: Mapping[str, int],
        left_out: Sequence[SkippedCoin],
        error: str | None,
        ticks: Sequence[Mapping[str, Any]] = (),
        source: str | None = None,
    ) -> None:
        """Ends an update as `done`, `failed` or `missed`; raises LeaseLost.

        `source` names the one that its quotes are from, when it is not the first.
        """
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
            "ticks": list(ticks[:MAX_LEFT_OUT]),
            "error": error,
            "source": source,
            "lease_until": None,
        }
        while True:
            number = newest_number(self._updates) + 1
            change = {
                "$set": fields | {"number": number},
                "$push": {"numbers": number},
                "$unset": {"parts": ""},
            }
            with suppress(DuplicateKeyError):  # else another update ended meanwhile
                self._write(claim, change)
                return

    def tell(
        self, claim: Claim, stage: str, share: float, counts: Mapping[str, int] | None = None
    ) -> None:
        """Says for whoever watches what the run does, and which share (0 to 1) of that is done.

        Not acknowledged, so that it takes the run no time; nothing rests on it.
        """
        run = {"fence": claim.fence, "stage": stage, "share": share, "counts": dict(counts or {})}
        with suppress(PyMongoError):
            self._unacknowledged.update_one(_held(claim), {"$set": {"run": run}})

    def postpone(
        self,
        claim: Claim,
        seconds: float,
        reason: str | None,
        part: Document | None = None,
        *,
        limited: bool = False,
    ) -> None:
        """Puts an update back to `received`, to be tried in `seconds`; raises LeaseLost.

        `limited`: it waits for the source, which limits the calls, so that others may join it.
        `part` is what this run has stored of it: the next run goes on behind it.
        """
        fields: Document = {
            "state": "received",
            "tries": 0,
            "lease_until": None,
            "not_before": from_now(seconds),
            "error": {"$literal": reason},
            "limited": limited,
        }
        if part is not None:
            known = {"$ifNull": ["$parts", []]}
            fields["parts"] = {"$concatArrays": [known, [{"$literal": part}]]}
            fields["waiting_since"] = "$$NOW"
        self._write(claim, [{"$set": fields}])

    def sweep(self) -> list[str]:
        """The ids of open updates that nobody works on; each is given out once in 15 s."""
        lost = {
            "state": "received",
            "$expr": {
                "$and": [
                    HAS_COME,
                    over("received_at", 0, since=START_GRACE_SECONDS),
                    over("not_before", LONGEST_WAIT_SECONDS),
                ]
            },
        }
        orphaned = {
            "state": "running",
            "$expr": {"$and": [HAS_COME, over("lease_until", LEASE_SECONDS)]},
        }
        unswept = over("swept_at", 0, since=SWEEP_AGAIN_SECONDS)
        found = []
        for document in self._updates.find({"$or": [lost, orphaned]}, {"_id": 1}).limit(100):
            taken = self._updates.update_one(
                {"_id": document["_id"], "state": {"$in": OPEN}, "$expr": unswept},
                [{"$set": {"swept_at": "$$NOW"}}],
            )
            if taken.modified_count:
                found.append(document["_id"])
        return found

    def reopen(self, update_id: str, *, failed: bool = False) -> bool:
        """Puts a slot's update back to `received` that ended without the slot's own price.

        That is one that was `missed`, or that ended before its slot began, as `mark_early` saw;
        with `failed` one that failed as well. To be called for a slot that is not over, which none
        of the others can be had for any more. False when there is no such update.
        """
        ended: list[Document] = [{"state": "missed"}, {"early": True}]
        if failed:
            ended.append({"state": "failed"})
        return bool(
            self._updates.update_one(
                {"_id": update_id, "state": {"$nin": OPEN}, "$or": ended},
                {
                    "$set": {
                        "state": "received",
                        "tries": 0,
                        "finished_at": None,
                        "not_before": None,
                        "swept_at": None,
                        "waiting_since": None,
                    },
                    "$unset": {"early": ""},
                },
            ).modified_count
        )

    def mark_early(self) -> int:
        """Marks the updates that ended though their slot is still ahead; the number marked.

        A clock that ran ahead carried them out. When their slot comes, its event reopens them.
        """
        ahead = {"$gt": ["$slot", from_now(AHEAD_SECONDS)]}
        ended = {"slot": {"$gt": self.now()}, "state": {"$in": ["done", "failed"]}, "early": None}
        return self._updates.update_many(
            ended | {"$expr": ahead}, {"$set": {"early": True}}
        ).modified_count

    def leader(self, claim: Claim) -> tuple[str, datetime] | None:
        """An earlier update that is to bring the same quotes, and until when to wait for it.

        That is one which waits for the source, or which began to fetch after this one began to
        wait for it.
        """
        waits = {
            "state": "received",
            "limited": True,
            "$expr": {"$gt": ["$not_before", "$$NOW"]},
        }
        runs = {"state": "running", "fetching_since": {"$gte": claim.waiting_since}}
        earlier = {"received_at": {"$lt": claim.received_at}}
        same_time = {"received_at": claim.received_at, "_id": {"$lt": claim.id}}
        found = self._updates.find_one(
            {
                "$and": [
                    {"$or": [waits, runs] if claim.limited else [waits]},
                    {"$or": [earlier, same_time]},
                ]
            },
            {"state": 1, "not_before": 1},
        )
        if found is None:
            return None
        again: datetime = (
            found["not_before"]
            if found["state"] == "received"
            else claim.now() + timedelta(seconds=JOIN_AGAIN_SECONDS)
        )
        return found["_id"], again

    def done_since(self, moment: datetime) -> str | None:
        """An update that began to fetch after a moment and got all that was asked, if any did."""
        done = {"state": "done", "error": None, "received_at": {"$gte": moment - LOOK_BACK}}
        found = self._updates.find_one(
            done | {"fetching_since": {"$gte": moment}}, {"_id": 1}, sort=[("received_at", -1)]
        )
        return found["_id"] if found else None

    def get(self, update_id: str) -> Document | None:
        """One update as it is stored."""
        return self._updates.find_one({"_id": update_id}, WITHOUT_PARTS)

    def newest(
        self,
        *,
        skip: int = 0,
        limit: int = 20,
        state: str | None = None,
        trigger: str | None = None,
    ) -> list[Document]:
        """Updates as they are stored, the newest received first; all, or of a state or trigger."""
        found = self._updates.find(_which(state, trigger), WITHOUT_PARTS).sort(
            "received_at", DESCENDING
        )
        return list(found.skip(skip).limit(limit))

    def count(self, *, state: str | None = None, trigger: str | None = None) -> int:
        """How many updates are in the ledger; of all by the collection's own count."""
        if which := _which(state, trigger):
            return self._updates.count_documents(which)
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
        """When the last update that ended well ended."""
        found = last_success(self._updates)
        return found["finished_at"] if found else None

    def _slot(self, which: Document, order: int) -> datetime | None:
        document = self._updates.find_one({"slot": which}, {"slot": 1}, sort=[("slot", order)])
        return document["slot"] if document else None

    def _write(self, claim: Claim, change: Document | list[Document]) -> None:
        if not self._updates.update_one(_held(claim), change).matched_count:
            raise LeaseLost(f"update {claim.id} was claimed by another since fence {claim.fence}")


def _held(claim: Claim) -> Document:
    return {"_id": claim.id, "state": "running", "fence": claim.fence}


def _which(state: str | None, trigger: str | None) -> Document:
    """A filter; with all values of the other field its index gives the order too."""
    if state is None and trigger is None:
        return {}
    return {
        "state": {"$in": [state] if state else UPDATE_STATES},
        "trigger": {"$in": [trigger] if trigger else UPDATE_TRIGGERS},
    }


def _entry(update_id: str, **fields: Any) -> Document:
    document: Document = Update(id=update_id, **fields).to_mongo()
    return {"slot": None, "finished_at": None, "error": None, **document}


def from_now(seconds: float) -> Document:
    """An expression: the time by MongoDB's clock that lies so far ahead, or behind if negative."""
    return {"$add": ["$$NOW", round(timedelta(seconds=seconds) / timedelta(milliseconds=1))]}


def over(field: str, longest: float, *, since: float = 0) -> Document:
    """An expression: whether a time passed `since` seconds ago, or is null.

    One that lies further ahead than `longest` was given before the clock jumped back: it counts as
    passed, or an hour's jump would keep an update for that hour.
    """
    at = {"$ifNull": [f"${field}", EPOCH]}
    return {
        "$or": [
            {"$lte": [at, from_now(-since)]},
            {"$gt": [at, from_now(longest + CLOCK_JUMP_SECONDS)]},
        ]
    }
