"""Stores how far each coin's quotes are rolled up, and since when its originals exist."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from pymongo import UpdateOne
from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.database import Database

from market.model.candle import DAY, floor_to
from market.model.quotes import Quote
from market.storage.database import MARKS, Document

LATE_AFTER = timedelta(hours=12)  # after its own time; nothing younger than a day is rolled up
BATCH_SIZE = 1000  # each write has 3 s
TIMES = ("until", "kept_from", "exact_from")


@dataclass(frozen=True, slots=True)
class Watermark:
    """One coin's watermark; all times are None at first.

    Quotes before `until` are in the rollups, those before `kept_from` only there. From `exact_from`
    on, what was known at a time can be determined. `late` counts how often quotes came late: a
    rollup that began before that has to begin again.
    """

    coin: str
    until: datetime | None = None
    kept_from: datetime | None = None
    exact_from: datetime | None = None
    late: int = 0


class Watermarks:
    """The collection `marks` of one database, with one document for each coin."""

    def __init__(self, database: Database[Document]) -> None:
        self._marks: Collection[Document] = database[MARKS]

    def of(self, coin: str, session: ClientSession | None = None) -> Watermark:
        """Returns a coin's watermark; an empty one if none is stored."""
        # Not by `CoinWatermark.objects`, which can join no session of the caller's.
        found = self._marks.find_one({"_id": coin}, session=session)
        return _watermark(found) if found else Watermark(coin)

    def all(self, coins: Iterable[str] | None = None) -> dict[str, Watermark]:
        """Returns the stored watermarks of these coins, or of every coin, by id."""
        # Not by `CoinWatermark.objects`, which is slower: many requests read them.
        query: Document = {} if coins is None else {"_id": {"$in": list(coins)}}
        return {one["_id"]: _watermark(one) for one in self._marks.find(query)}

    def set_rolled_up(
        self, seen: Watermark, until: datetime, session: ClientSession | None = None
    ) -> bool:
        """Records that a coin is rolled up until a time; False if its watermark changed meanwhile.

        Raises DuplicateKeyError if it had none and has one by now.
        """
        expected = {"_id": seen.coin, "until": seen.until, "kept_from": seen.kept_from}
        change = {"$set": {"until": until, "late": seen.late}}
        done = self._marks.update_one(
            expected | {"late": seen.late},
            change,
            upsert=seen == Watermark(seen.coin),
            session=session,
        )
        return bool(done.matched_count or done.upserted_id)

    def set_deleted(
        self, seen: Watermark, end: datetime, exact_from: datetime | None, session: ClientSession
    ) -> None:
        """Records that a coin's quotes before `end` exist only in its rollups."""
        self._marks.update_one(
            {"_id": seen.coin},
            {
                "$max": {"until": end, "kept_from": end, "exact_from": exact_from},
                "$set": {"late": seen.late},
            },
            upsert=True,
            session=session,
        )

    def invalidate_after(self, quotes: Iterable[Quote], recorded_at: datetime) -> None:
        """Moves back the watermark of each coin that has a late quote; call it after storing them.

        Pass quotes that were stored before, too: an earlier attempt may have died between the two.
        """
        oldest: dict[str, datetime] = {}
        for quote in quotes:
            if quote.at < recorded_at - LATE_AFTER:
                oldest[quote.coin] = min(quote.at, oldest.get(quote.coin, quote.at))
        changes = [_move_back(coin, at) for coin, at in oldest.items()]
        # The first update of all of CoinGecko's coins has thousands whose price stands still.
        for first in range(0, len(changes), BATCH_SIZE):
            self._marks.bulk_write(changes[first : first + BATCH_SIZE], ordered=False)


def _move_back(coin: str, at: datetime) -> UpdateOne:
    back = {"$min": ["$until", floor_to(at, DAY)]}
    unknown = {"$ne": [{"$type": "$until"}, "date"]}
    until = {"$cond": [unknown, None, {"$max": [back, "$kept_from"]}]}
    late = {"$add": [{"$ifNull": ["$late", 0]}, 1]}
    return UpdateOne({"_id": coin}, [{"$set": {"until": until, "late": late}}], upsert=True)


def _watermark(found: Document) -> Watermark:
    times = {name: found.get(name) for name in TIMES}
    return Watermark(found["_id"], **times, late=found.get("late", 0))
