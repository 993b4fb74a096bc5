"""The ledger of updates: each accepted event is entered once, and carried out once.

received -> running -> done | failed; a slot whose update nobody ran is `missed`. An update whose
slot is still ahead by MongoDB's clock waits for it, whichever host's clock was early.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from pymongo import ASCENDING, DESCENDING, WriteConcern
from pymongo.database import Database
from pymongo.errors import BulkWriteError, DuplicateKeyError, PyMongoError

from market.ledger.claims import Claim, ClaimQueue, Document, from_now, has_passed, held_by
from market.ledger.event_log import last_success, newest_number
from market.model.documents import UPDATE_STATES, UPDATE_TRIGGERS, Update
from market.model.quotes import SkippedCoin
from market.schedule.clock import elapsed, server_time
from market.storage.database import only_duplicates

START_GRACE_SECONDS = 5  # an update that is `received` for longer has lost its task
AHEAD_SECONDS = 5  # a slot ahead of MongoDB's clock by more than this is not just early
JOIN_AGAIN_SECONDS = 2  # until an update checks again whether the one it joined has ended
LOOK_BACK = timedelta(minutes=10)  # an update received before this no longer runs
MAX_SKIPPED = 1000  # entries stored; `counts` has the true number
OPEN = ("received", "running")
CLAIMED = (
    *("fence", "tries", "slot", "received_at", "error", "parts", "waiting_since", "limited"),
    "hops.claimed",
)  # the fields of an update that its claim is made from
SLOT_BEGAN = {"$lte": ["$slot", "$$NOW"]}  # or there is no slot: null sorts before every date
HAS_PARTS = {"$gt": [{"$size": {"$ifNull": ["$parts", []]}}, 0]}
WITHOUT_PARTS = {"parts": 0}  # they name thousands of coins, and only the next run needs them


@dataclass(frozen=True, slots=True)
class UpdateClaim(Claim):
    """The right to run one update, while its fence is the newest."""

    slot: datetime | None
    received_at: datetime
    error: str | None = None  # why the last attempt failed
    parts: Sequence[Document] = field(
        default_factory=list
    )  # what earlier runs have stored of a large update
    limited: bool | None = None  # whether it was postponed since the source limits the calls
    # By MongoDB's clock: when it was first claimed, or the newest of its parts was stored.
    waiting_since: datetime = field(default_factory=lambda: datetime.now(UTC))
    claimed_at: datetime = field(default_factory=lambda: datetime.now(UTC))  # by MongoDB's clock

    def now(self) -> datetime:
        """Returns MongoDB's time: that of the claim, plus what has passed since."""
        return self.claimed_at + timedelta(seconds=elapsed() - self.asked)


class Ledger(ClaimQueue):
    """The `updates` collection of one database."""

    noun, waiting = "update", "received"
    lease_seconds = 15
    max_wait = 3600  # that a source may ask for

    def __init__(self, database: Database[Document]) -> None:
        self._database = database
        self._updates = database[Update._get_collection_name()]
        super().__init__(self._updates)
        self._unacknowledged = self._updates.with_options(write_concern=WriteConcern(w=0))

    def now(self) -> datetime:
        """Returns MongoDB's time, which decides for all hosts which slot is the current one."""
        return server_time(self._database)

    def receive(
        self,
        update_id: str,
        *,
        trigger: str,
        slot: datetime | None,
        hops: Mapping[str, datetime],
    ) -> bool:
        """Enters an event as `received`; returns False if it is a duplicate."""
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
        """Enters slots (by id) that have no update as `missed`; returns how many were new."""
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

    def claim(self, update_id: str, worker: str, started: datetime) -> UpdateClaim | None:
        """Claims an update for 15 s; None if it is closed, claimed by another, or not yet due."""
        found = self._claim(
            {"_id": update_id, "$expr": SLOT_BEGAN},
            {
                "worker": {"$literal": worker},
                "waiting_since": {"$ifNull": ["$waiting_since", "$$NOW"]},
                "fetching_since": {"$cond": [HAS_PARTS, "$fetching_since", "$$NOW"]},
                "hops.started": started,
                "hops.claimed": "$$NOW",
            },
            CLAIMED,
        )
        if found is None:
            return None
        claimed_at = found.pop("hops")["claimed"]
        return UpdateClaim(
            id=found.pop("_id"), attempts=found.pop("tries"), claimed_at=claimed_at, **found
        )

    def seconds_early(self, update_id: str) -> float | None:
        """Returns how long an open update waits for a slot that begins within 5 s; else None."""
        document = self._updates.find_one(
            {"_id": update_id, "state": {"$in": OPEN}, "slot": {"$type": "date"}}, {"slot": 1}
        )
        if document is None:
            return None
        ahead = (document["slot"] - self.now()).total_seconds()
        return ahead if 0 < ahead <= AHEAD_SECONDS else None

    def close(
        self,
        claim: UpdateClaim,
        *,
        state: str,
        hops: Mapping[str, datetime],
        counts: Mapping[str, int],
        skipped: Sequence[SkippedCoin],
        error: str | None,
        ticks: Sequence[Mapping[str, Any]] = (),
        source: str | None = None,
    ) -> None:
        """Ends an update as `done`, `failed` or `missed`; raises LeaseLost.

        `source` names the source of its quotes, if that is not the first.
        """
        now = datetime.now(UTC)
        fields: Document = {f"hops.{name}": at for name, at in hops.items()}
        fields |= {
            "state": state,
            "finished_at": now,
            "hops.finished": now,
            "counts": dict(counts),
            "left_out": [{"coin": one.coin, "reason": one.reason} for one in skipped[:MAX_SKIPPED]],
            "ticks": list(ticks[:MAX_SKIPPED]),
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
            with suppress(DuplicateKeyError):  # raised if another update ended meanwhile
                self._write(claim, change)
                return

    def report_progress(
        self, claim: UpdateClaim, stage: str, share: float, counts: Mapping[str, int] | None = None
    ) -> None:
        """Records for viewers which stage a run is in, and which share (0 to 1) of it is done.

        Not acknowledged, so that it costs the run no time; nothing depends on it.
        """
        run = {"fence": claim.fence, "stage": stage, "share": share, "counts": dict(counts or {})}
        with suppress(PyMongoError):
            self._unacknowledged.update_one(held_by(claim), {"$set": {"run": run}})

    def postpone(
        self,
        claim: UpdateClaim,
        seconds: float,
        reason: str | None,
        part: Document | None = None,
        *,
        limited: bool = False,
    ) -> None:
        """Puts an update back to `received` for `seconds`; raises LeaseLost.

        `limited`: it waits for the source, which limits the calls, so that others may join it.
        `part` is what this run stored of it: the next run continues from there.
        """
        fields: Document = {"tries": 0, "limited": limited}
        if part is not None:
            known = {"$ifNull": ["$parts", []]}
            fields["parts"] = {"$concatArrays": [known, [{"$literal": part}]]}
            fields["waiting_since"] = "$$NOW"
        self._postpone(claim, seconds, reason, fields)

    def sweep(self) -> list[str]:
        """Returns the ids of due updates that no task works on, each at most once in 15 s."""
        lost = has_passed("received_at", 0, since=START_GRACE_SECONDS)
        started_or_lost = {"$or": [{"$eq": ["$state", "running"]}, lost]}
        return self._sweep({"$expr": {"$and": [SLOT_BEGAN, started_or_lost]}})

    def reopen(self, update_id: str, *, failed: bool = False) -> bool:
        """Puts an update that ended without its slot's own price back to `received`.

        That is one that was `missed`, or ended before its slot began (see `mark_early`); with
        `failed`, also one that failed. Call it only while the slot lasts: a later price cannot fill
        it. Returns False if there is no such update.
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
        """Marks the updates that ended though their slot is still ahead; returns how many.

        A clock that ran ahead started them. When their slot comes, its event reopens them.
        """
        ahead = {"$gt": ["$slot", from_now(AHEAD_SECONDS)]}
        ended = {"slot": {"$gt": self.now()}, "state": {"$in": ["done", "failed"]}, "early": None}
        return self._updates.update_many(
            ended | {"$expr": ahead}, {"$set": {"early": True}}
        ).modified_count

    def leader(self, claim: UpdateClaim) -> tuple[str, datetime] | None:
        """Returns an earlier update that will bring the same quotes, and when to check on it.

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
        """Returns an update that began to fetch after a moment and got all it asked for, if any."""
        done = {"state": "done", "error": None, "received_at": {"$gte": moment - LOOK_BACK}}
        found = self._updates.find_one(
            done | {"fetching_since": {"$gte": moment}}, {"_id": 1}, sort=[("received_at", -1)]
        )
        return found["_id"] if found else None

    def get(self, update_id: str) -> Document | None:
        """Returns one update as stored."""
        return self._updates.find_one({"_id": update_id}, WITHOUT_PARTS)

    def newest(
        self,
        *,
        skip: int = 0,
        limit: int = 20,
        state: str | None = None,
        trigger: str | None = None,
    ) -> list[Document]:
        """Returns updates as stored, newest first; all, or those of a state or trigger."""
        found = self._updates.find(_which(state, trigger), WITHOUT_PARTS).sort(
            "received_at", DESCENDING
        )
        return list(found.skip(skip).limit(limit))

    def count(self, *, state: str | None = None, trigger: str | None = None) -> int:
        """Returns how many updates there are; of all, by the collection's own count."""
        if which := _which(state, trigger):
            return self._updates.count_documents(which)
        return self._updates.estimated_document_count()

    def newest_slot(self, before: datetime) -> datetime | None:
        """Returns the newest slot before a moment that has an update, in any state."""
        return self._slot({"$type": "date", "$lt": before}, DESCENDING)

    def oldest_slot(self) -> datetime | None:
        """Returns the first slot that has an update."""
        return self._slot({"$type": "date"}, ASCENDING)

    def known(self, update_ids: Iterable[str]) -> set[str]:
        """Returns those of the ids that are in the ledger."""
        found = self._updates.find({"_id": {"$in": list(update_ids)}}, {"_id": 1})
        return {document["_id"] for document in found}

    def last_success(self) -> datetime | None:
        """Returns when the last successful update ended."""
        found = last_success(self._updates)
        return found["finished_at"] if found else None

    def _slot(self, which: Document, order: int) -> datetime | None:
        document = self._updates.find_one({"slot": which}, {"slot": 1}, sort=[("slot", order)])
        return document["slot"] if document else None


def _which(state: str | None, trigger: str | None) -> Document:
    """A filter that names both fields, so that their index gives the order too."""
    if state is None and trigger is None:
        return {}
    return {
        "state": {"$in": [state] if state else UPDATE_STATES},
        "trigger": {"$in": [trigger] if trigger else UPDATE_TRIGGERS},
    }


def _entry(update_id: str, **fields: Any) -> Document:
    document: Document = Update(id=update_id, **fields).to_mongo()
    return {"slot": None, "finished_at": None, "error": None, **document}
