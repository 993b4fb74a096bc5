"""A coin's quotes in time, as they are stored: those recorded, and those repaired from history."""

import heapq
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, NamedTuple

from bson import MaxKey, MinKey
from pymongo import ASCENDING, DESCENDING
from pymongo.collection import Collection
from pymongo.database import Database

from market.model.quotes import CLOCK_SKEW
from market.storage.database import MARKS, QUOTES, REPAIRED, Document

MILLISECOND = timedelta(milliseconds=1)  # the resolution of a record's time
PAGE = 2000  # records a read: about 12 ms, and 3 MB while they are held


class Record(NamedTuple):
    """One stored quote. `resolution` is None for one that was recorded in its time, else the
    seconds between the points of the history that it was repaired from. A tuple, since a read may
    make thousands: a frozen dataclass takes three times as long."""

    coin: str
    at: datetime
    price: float
    market_cap: float | None
    change_24h: float | None
    volume_24h: float | None
    source: str
    recorded_at: datetime
    resolution: int | None

    @property
    def as_of(self) -> datetime:
        """The time that its numbers are of."""
        return self.at


class QuoteHistory:
    """The collections `quotes` and `repaired` of one database, read newest first.

    Each read is a scan of one coin's stretch of a clustered collection: no sort, no other coin.
    """

    def __init__(self, database: Database[Document]) -> None:
        self._quotes: Collection[Document] = database[QUOTES]
        self._repaired: Collection[Document] = database[REPAIRED]
        self._marks: Collection[Document] = database[MARKS]

    def kept_from(self, coin: str) -> datetime | None:
        """From when on all of a coin's quotes are kept; None if none was deleted."""
        mark = self._marks.find_one({"_id": coin}, {"kept_from": 1})
        return mark.get("kept_from") if mark else None

    def records(
        self,
        coin: str,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        limit: int,
        repaired: bool = False,
        as_of: datetime | None = None,
    ) -> list[Record]:
        """A coin's newest `limit` records with start <= at < end, newest first.

        Repaired ones are among them only if asked for; where both have the same `at`, the
        recorded one stands. `as_of` leaves out what was not yet known then.
        """
        found = self._read(self._quotes, _stretch(coin, start, end, as_of), limit)
        if not repaired:
            return found
        if len(found) == limit:
            start = found[-1].at  # what is older is not among the newest
        also = self._read(self._repaired, _stretch(coin, start, end, as_of), limit)
        return list(islice(_merged(found, also), limit))

    def _read(
        self, collection: Collection[Document], key_range: Document, limit: int
    ) -> list[Record]:
        cursor = collection.find(key_range).sort("_id", DESCENDING).limit(limit)
        return [_record(document) for document in cursor.batch_size(limit)]


class QuoteStream:
    """The quotes of one database, the repaired ones among them if asked for.

    Each page is a read of its own that begins where the last one ended. A cursor would not do: a
    server ends one that nobody reads from, and a reader may be slow.
    """

    def __init__(self, database: Database[Document], *, repaired: bool = False) -> None:
        self._history = QuoteHistory(database)
        self._repaired = repaired
        names = (QUOTES, REPAIRED) if repaired else (QUOTES,)
        self._collections: list[Collection[Document]] = [database[name] for name in names]

    def coins(self) -> Iterator[str]:
        """The ids of all coins that have quotes, by id: each is one look into the key."""
        coin = self._first_after(None)
        while coin is not None:
            yield coin
            coin = self._first_after(coin)

    def records(
        self, coin: str, *, start: datetime | None = None, end: datetime | None = None
    ) -> Iterator[Record]:
        """A coin's records with start <= at < end, newest first.

        Where a recorded and a repaired one have the same `at`, the recorded one stands.
        """
        size = PAGE
        while size == PAGE:
            page = self._history.records(
                coin, start=start, end=end, limit=PAGE, repaired=self._repaired
            )
            yield from page
            size = len(page)
            end = page[-1].at if page else end

    def _first_after(self, coin: str | None) -> str | None:
        beyond = {} if coin is None else {"_id": {"$gt": {"coin": coin, "at": MaxKey()}}}
        found = (
            collection.find_one(beyond, {"_id": 1}, sort=[("_id", ASCENDING)])
            for collection in self._collections
        )
        return min((one["_id"]["coin"] for one in found if one is not None), default=None)


def key_range(coin: str, start: datetime | None, end: datetime | None) -> Document:
    """Bounds on the whole key: a clustered scan of one coin's start <= at < end.

    A condition on `_id.coin` would scan the whole collection.
    """
    return {
        "$gte": {"coin": coin, "at": start if start is not None else MinKey()},
        "$lt": {"coin": coin, "at": end if end is not None else MaxKey()},
    }


def _stretch(
    coin: str, start: datetime | None, end: datetime | None, as_of: datetime | None
) -> Document:
    if as_of is None:
        return {"_id": key_range(coin, start, end)}
    # No record is further ahead of its recording, so that what is newer need not be scanned.
    newest = as_of + CLOCK_SKEW + MILLISECOND
    bounds = key_range(coin, start, newest if end is None else min(end, newest))
    return {"_id": bounds, "recorded_at": {"$lte": as_of}}


def _merged(recorded: Iterable[Record], repaired: Iterable[Record]) -> Iterator[Record]:
    last: datetime | None = None
    for one in heapq.merge(recorded, repaired, key=lambda record: record.at, reverse=True):
        if one.at != last:
            yield one
        last = one.at


def _record(document: dict[str, Any]) -> Record:
    key = document["_id"]
    return Record(
        coin=key["coin"],
        at=key["at"],
        price=document["price"],
        market_cap=document["market_cap"],
        change_24h=document["change_24h"],
        volume_24h=document["volume_24h"],
        source=document["source"],
        recorded_at=document["recorded_at"],
        resolution=document.get("resolution"),
    )
