"""Finds missing history and requests its repair: before a coin's first quote, and in gaps."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from pymongo.database import Database

from market.gap_repair.queue import RepairQueue, RepairRequest
from market.ledger.event_log import EventLog
from market.model.documents import Coin
from market.model.quotes import DEVIATION_WINDOW, SUCCESSORS
from market.schedule.slots import Schedule
from market.sources.coingecko import DAY, HOUR
from market.storage.database import Document
from market.storage.quote_store import QuoteStore

PLAN = "plan"
BATCH = 1000
SPARE = timedelta(hours=4)  # for hourly points that are null or missing

Range = tuple[datetime, datetime]  # start <= slot < end


class Planner:
    """Goes through what happened since its last run; a range requested twice is one repair."""

    def __init__(self, database: Database[Document], schedule: Schedule) -> None:
        self._plan = database[PLAN]
        self._coins = database[Coin._get_collection_name()]
        self._event_log = EventLog(database)
        self._repairs = RepairQueue(database)
        self._store = QuoteStore(database)
        self._schedule = schedule

    def run(self, pinned: Sequence[str], now: datetime) -> int:
        """Requests what is missing, the pinned coins first; returns how many repairs are new."""
        return self.plan_backfill(pinned, now) + self.plan_gaps(pinned, now)

    def plan_backfill(self, pinned: Sequence[str], now: datetime) -> int:
        """Requests the time before the first quote of each coin added since the last run."""
        new = self._coins.find({"state": "active", "backfill_from": None}, {"_id": 1})
        coins = [document["_id"] for document in new.limit(BATCH)]
        if not coins:
            return 0
        start, end = backfill_start(self._schedule, now), self._schedule.current(now)
        count = self._repairs.add(repair_requests(self._by_rank(coins, pinned), (start, end)), now)
        # After the repairs: if this process died in between, none would ever be requested.
        self._coins.update_many({"_id": {"$in": coins}}, {"$set": {"backfill_from": start}})
        return count

    def plan_gaps(self, pinned: Sequence[str], now: datetime) -> int:
        """Requests for all coins the slots whose update failed, was missed, or lost a part.

        It waits until an update has succeeded since. Then the source answers again, and slots that
        failed one by one are one range, for which each coin needs one chart.
        """
        seen = self._seen()
        current = self._schedule.current(now)
        failed_slots = []
        for update in self._ended(seen, self._event_log.newest_good(seen)):
            if _is_gap(update):
                if update["slot"] >= current:
                    break  # it may be retried until its slot is over
                failed_slots.append(update["slot"])
            seen = update["number"]
        coins = self._by_rank(list(self._store.latest().coins), pinned) if failed_slots else []
        requests = [
            request
            for gap in merge_slots(self._schedule, failed_slots)
            for request in repair_requests(coins, gap, urgency=1)
        ]
        count = self._repairs.add(requests, now)
        self._plan.update_one({"_id": PLAN}, {"$max": {"number": seen}}, upsert=True)
        return count

    def _ended(self, after: int, until: int) -> Iterator[Document]:
        """Yields the updates with after < number <= until, oldest first."""
        while ended := self._event_log.after(after, BATCH):
            for update in ended:
                if update["number"] > until:
                    return
                yield update
            after = ended[-1]["number"]

    def _seen(self) -> int:
        document: dict[str, Any] | None = self._plan.find_one({"_id": PLAN})
        return int(document["number"]) if document else 0

    def _by_rank(self, coins: Sequence[str], pinned: Sequence[str]) -> list[str]:
        latest = self._store.latest().coins
        first = {SUCCESSORS.get(coin, coin): place for place, coin in enumerate(pinned)}

        def order(coin: str) -> tuple[int, float]:
            rank = latest.get(coin, {}).get("rank")
            return first.get(coin, len(first)), rank if rank is not None else float("inf")

        return sorted(coins, key=order)


def backfill_start(schedule: Schedule, now: datetime) -> datetime:
    """Returns from when on charts have the points for a deviation's 100 records up to now.

    The last day has a point for each slot; before it there is one an hour, or one a slot where
    slots are longer.
    """
    slot = schedule.interval(now)
    older = max(0, DEVIATION_WINDOW - DAY // slot) * max(slot, HOUR)
    return schedule.current(now - DAY - older - (SPARE if older else timedelta(0)))


def merge_slots(schedule: Schedule, slots: Iterable[datetime]) -> list[Range]:
    """Merges adjacent slots into ranges, oldest first."""
    ranges: list[Range] = []
    for slot in sorted(slots):
        is_adjacent = ranges and ranges[-1][1] == slot
        start = ranges.pop()[0] if is_adjacent else slot
        ranges.append((start, schedule.following(slot)))
    return ranges


def repair_requests(coins: Sequence[str], gap: Range, *, urgency: int = 0) -> list[RepairRequest]:
    """Returns a request for each coin, in their order; a lower urgency goes before all others."""
    start, end = gap
    return [
        RepairRequest(coin, start, end, urgency * 1_000_000 + place)
        for place, coin in enumerate(coins)
    ]


def _is_gap(update: Document) -> bool:
    """Whether a slot's quotes, or some of them, were not fetched."""
    if update["slot"] is None or update["finished_at"] is None:
        return False
    return update["state"] in ("failed", "missed") or bool(update["error"])
