"""Wants repairs where history is missing: before a coin's first quote, and where updates failed."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from pymongo.collection import Collection
from pymongo.database import Database

from market.gap_repair.gaps import backfill_start, stretches, wanted
from market.gap_repair.queue import Repairs, Wanted
from market.ledger.event_log import Closings
from market.model.documents import Coin
from market.model.quotes import SUCCESSORS
from market.schedule.slots import Schedule
from market.storage.database import Document
from market.storage.quote_store import QuoteStore

PLAN = "plan"
AT_ONCE = 1000


class Planner:
    """Goes through what happened since its last run; what it wants twice is one repair."""

    def __init__(self, database: Database[Document], schedule: Schedule) -> None:
        self._plan: Collection[Document] = database[PLAN]
        self._coins: Collection[Document] = database[Coin._get_collection_name()]
        self._closings = Closings(database)
        self._repairs = Repairs(database)
        self._store = QuoteStore(database)
        self._schedule = schedule

    def run(self, pinned: Sequence[str], now: datetime) -> int:
        """Wants what is missing by now, the pinned coins first; the number of new repairs."""
        return self.backfill(pinned, now) + self.gaps(pinned, now)

    def backfill(self, pinned: Sequence[str], now: datetime) -> int:
        """Wants the time before the first quote, for each coin that is collected since the last
        run."""
        new = self._coins.find({"state": "active", "backfill_from": None}, {"_id": 1})
        coins = [document["_id"] for document in new.limit(AT_ONCE)]
        if not coins:
            return 0
        start, end = backfill_start(self._schedule, now), self._schedule.current(now)
        count = self._repairs.want(wanted(self._by_rank(coins, pinned), (start, end)), now)
        # After the repairs: one that is lost in between would never be wanted.
        self._coins.update_many({"_id": {"$in": coins}}, {"$set": {"backfill_from": start}})
        return count

    def gaps(self, pinned: Sequence[str], now: datetime) -> int:
        """Wants the slots whose updates failed, were missed, or lost a part, for all coins.

        Not before an update has ended well since: then the source answers again, and what failed
        slot by slot is one stretch, for which one chart a coin is asked.
        """
        seen = self._seen()
        current = self._schedule.current(now)
        holes = []
        for update in self._ended(seen, self._closings.newest_good(seen)):
            if _is_hole(update):
                if update["slot"] >= current:
                    break  # it may be tried again until its slot is over
                holes.append(update["slot"])
            seen = update["number"]
        coins = self._by_rank(list(self._store.latest().coins), pinned) if holes else []
        repairs: list[Wanted] = []
        for stretch in stretches(self._schedule, holes):
            repairs += wanted(coins, stretch, urgency=1)
        count = self._repairs.want(repairs, now)
        self._plan.update_one({"_id": PLAN}, {"$max": {"number": seen}}, upsert=True)
        return count

    def _ended(self, after: int, until: int) -> Iterator[Document]:
        """The updates with after < number <= until, oldest first."""
        while ended := self._closings.after(after, AT_ONCE):
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


def _is_hole(update: Document) -> bool:
    """Whether a slot's quotes, or some of them, were not fetched."""
    if update["slot"] is None or update["finished_at"] is None:
        return False
    return update["state"] in ("failed", "missed") or bool(update["error"])
