"""Measures how long each hop of the updates took, since the very first update."""

import time
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from threading import Lock

from pymongo import ASCENDING
from pymongo.database import Database
from pymongo.read_concern import ReadConcern

from market.ledger.event_log import Document
from market.model.documents import Update

HOPS = (
    *("published", "streamed", "received", "started", "claimed"),
    *("fetched", "stored", "merged", "finished"),
)
# Upper bounds of the buckets, in seconds; the last bucket has none.
BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0)
BATCH = 1000


@dataclass
class HopLatency:
    """How many updates reached this hop from the one before in what time; `seconds` is the sum."""

    buckets: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    seconds: float = 0.0


class HopLatencies:
    """Reads each successful update once, in the order of their ends.

    A successful update never ends again. So the counts are the same in every process, whenever it
    started, and never decrease.
    """

    def __init__(self, database: Database[Document]) -> None:
        updates = database[Update._get_collection_name()]
        self._updates = updates.with_options(read_concern=ReadConcern("majority"))
        self._lock = Lock()
        self._upto = 0
        self._times = {hop: HopLatency() for hop in HOPS[1:]}

    def read(self, seconds: float) -> Mapping[str, HopLatency] | None:
        """Returns the latencies by hop, or None if `seconds` are too few to read all that is new.

        The next call continues where this one stopped. Raises PyMongoError.
        """
        end = time.monotonic() + seconds
        if not self._lock.acquire(timeout=seconds):
            return None
        try:
            while time.monotonic() < end:
                found = self._more()
                for update in found:
                    self._add(update.get("hops", {}))
                    self._upto = update["number"]
                if len(found) < BATCH:
                    return {
                        hop: HopLatency(list(one.buckets), one.seconds)
                        for hop, one in self._times.items()
                    }
            return None
        finally:
            self._lock.release()

    def _more(self) -> list[Document]:
        later = {"number": {"$gt": self._upto}, "state": "done"}
        found = self._updates.find(later, {"_id": 0, "number": 1, "hops": 1})
        return list(found.sort("number", ASCENDING).limit(BATCH))

    def _add(self, hops: Mapping[str, datetime]) -> None:
        known = [(hop, hops[hop]) for hop in HOPS if hop in hops]
        for (_, before), (hop, at) in pairwise(known):
            # Clocks of two machines may differ: a hop never takes less than 0 s.
            took = max(0.0, (at - before).total_seconds())
            self._times[hop].buckets[bisect_left(BOUNDS, took)] += 1
            self._times[hop].seconds += took
