"""How far each coin's quotes are rolled up, and from where on its originals are kept."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pymongo import UpdateOne
from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.database import Database

from market.model.candle import DAY, floor_to
from market.model.quotes import Quote
from market.storage.database import MARKS

LATE = timedelta(hours=12)  # after its own time; nothing younger than a day is rolled up
MARKED_AT_ONCE = 1000  # each write has 3 s

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Watermark:
    """One coin's: its quotes before `until` are in its rollups, those before `kept_from` there
    alone. What was known at a time can be told from `exact_from` on. All are None at first.

    `late` counts how often quotes came late: whoever began to roll up before that has to begin
    again.
    """

    coin: str
    until: datetime | None = None
    kept_from: datetime | None = None
    exact_from: datetime | None = None
    late: int = 0


class Watermarks:
    """The collection `marks` of one database: a document a coin."""

    def __init__(self, database: Database[Document]) -> None:
        self._marks: Collection[Document] = database[MARKS]

    def of(self, coin: str, session: ClientSession | None = None) -> Watermark:
        """A coin's mark; an empty one where there is none yet."""
        found = self._marks.find_one({"_id": coin}, session=session)
        return _mark(found) if found else Watermark(coin)

    def all(self, coins: Iterable[str] | None = None) -> dict[str, Watermark]:
        """The marks of these coins, or of every one, by id, where there are any."""
        which = {} if coins is None else {"_id": {"$in": list(coins)}}
        return {found["_id"]: _mark(found) for found in self._marks.find(which)}

    def rolled_up(
        self, seen: Watermark, until: datetime, session: ClientSession | None = None
    ) -> bool:
        """Notes that a coin is rolled up; False, and nothing, if its mark was changed meanwhile.

        Raises DuplicateKeyError if it had none and has one by now.
        """
        held = {"_id": seen.coin, "until": seen.until, "kept_from": seen.kept_from}
        change = {"$set": {"until": until, "late": seen.late}}
        done = self._marks.update_one(
            held | {"late": seen.late}, change, upsert=seen == Watermark(seen.coin), session=session
        )
        return bool(done.matched_count or done.upserted_id)

    def moved(
        self, seen: Watermark, end: datetime, exact_from: datetime | None, session: ClientSession
    ) -> None:
        """Notes that a coin's originals before `end` are in its rollups alone by now."""
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
        """Sets the mark back of each coin that has a quote of long ago; after it was stored.

        To be called with quotes that were stored before too: of two tries the first may have died
        in between.
        """
        oldest: dict[str, datetime] = {}
        for quote in quotes:
            if quote.at < recorded_at - LATE:
                oldest[quote.coin] = min(quote.at, oldest.get(quote.coin, quote.at))
        changes = [_set_back(coin, at) for coin, at in oldest.items()]
        # The first update of all of CoinGecko's coins has thousands whose price stands still.
        for first in range(0, len(changes), MARKED_AT_ONCE):
            self._marks.bulk_write(changes[first : first + MARKED_AT_ONCE], ordered=False)


def _set_back(coin: str, at: datetime) -> UpdateOne:
    back = {"$min": ["$until", floor_to(at, DAY)]}
    known = {"$ne": [{"$type": "$until"}, "date"]}
    until = {"$cond": [known, None, {"$max": [back, "$kept_from"]}]}
    late = {"$add": [{"$ifNull": ["$late", 0]}, 1]}
    return UpdateOne({"_id": coin}, [{"$set": {"until": until, "late": late}}], upsert=True)


def _mark(found: Document) -> Watermark:
    names = ("until", "kept_from", "exact_from")
    times = {name: found.get(name) for name in names}
    return Watermark(found["_id"], **times, late=found.get("late", 0))
