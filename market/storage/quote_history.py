"""Reads the stored quotes of a coin in order of time, the recorded and the repaired ones."""

import heapq
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import NamedTuple

from bson import MaxKey, MinKey
from pymongo import ASCENDING, DESCENDING
from pymongo.collection import Collection
from pymongo.database import Database

from market.model.documents import CoinWatermark
from market.model.quotes import CLOCK_SKEW
from market.storage.database import QUOTE_COLLECTIONS, QUOTES, REPAIRED, Document

MILLISECOND = timedelta(milliseconds=1)  # the resolution of a record's time
PAGE_SIZE = 2000  # records in one read: about 12 ms, and 3 MB of memory


class Record(NamedTuple):
    """One stored quote.

    `resolution` is None for a recorded quote. For a repaired one it is the seconds between the
    points of the history that it was taken from. A tuple, since one read may create thousands: a
    frozen dataclass takes three times as long.
    """

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
        """The time to which its numbers refer."""
        return self.at


class QuoteHistory:
    """Reads the collections `quotes` and `repaired` of one database, newest first.

    Each read scans one coin's range of a clustered collection: no sort, no other coin.
    """

    def __init__(self, database: Database[Document]) -> None:
        self._quotes: Collection[Document] = database[QUOTES]
        self._repaired: Collection[Document] = database[REPAIRED]

    def kept_from(self, coin: str) -> datetime | None:
        """Returns the time since which all of a coin's quotes exist; None if none was deleted."""
        moment: datetime | None = CoinWatermark.objects(id=coin).scalar("kept_from").first()
        return moment

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
        """Returns a coin's newest `limit` records with start <= at < end, newest first.

        `repaired` includes repaired ones; if both exist for the same `at`, the recorded one is
        returned. `as_of` omits what was not yet known at that time.
        """
        found = self._read(self._quotes, _query(coin, start, end, as_of), limit)
        if not repaired:
            return found
        if len(found) == limit:
            start = found[-1].at  # older ones are not among the newest
        also = self._read(self._repaired, _query(coin, start, end, as_of), limit)
        return list(islice(_merged(found, also), limit))

    def _read(self, collection: Collection[Document], query: Document, limit: int) -> list[Record]:
        cursor = collection.find(query).sort("_id", DESCENDING).limit(limit)
        return [_record(document) for document in cursor.batch_size(limit)]


class QuoteStream:
    """Reads any number of quotes of one database, optionally with the repaired ones.

    Each page is a separate read that begins where the last one ended, not a cursor: a server closes
    a cursor that is not read from, and a reader may be slow.
    """

    def __init__(self, database: Database[Document], *, repaired: bool = False) -> None:
        self._history = QuoteHistory(database)
        self._repaired = repaired
        names = QUOTE_COLLECTIONS if repaired else (QUOTES,)
        self._collections: list[Collection[Document]] = [database[name] for name in names]

    def coins(self) -> Iterator[str]:
        """Yields the ids of all coins that have quotes, in order: one key lookup for each."""
        coin = self._first_after(None)
        while coin is not None:
            yield coin
            coin = self._first_after(coin)

    def records(
        self, coin: str, *, start: datetime | None = None, end: datetime | None = None
    ) -> Iterator[Record]:
        """Yields a coin's records with start <= at < end, newest first.

        If both a recorded and a repaired one exist for the same `at`, it yields the recorded one.
        """
        size = PAGE_SIZE
        while size == PAGE_SIZE:
            page = self._history.records(
                coin, start=start, end=end, limit=PAGE_SIZE, repaired=self._repaired
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
    """Returns bounds on the whole key, for a clustered scan of one coin's start <= at < end.

    A condition on `_id.coin` would scan the whole collection.
    """
    return {
        "$gte": {"coin": coin, "at": start if start is not None else MinKey()},
        "$lt": {"coin": coin, "at": end if end is not None else MaxKey()},
    }


def oldest_time(
    collections: Iterable[Collection[Document]],
    coin: str,
    start: datetime | None,
    end: datetime | None,
) -> datetime | None:
    """Returns the time of a coin's oldest document with start <= at < end in these collections."""
    return min(_end_times(collections, coin, start, end, ASCENDING), default=None)


def newest_time(
    collections: Iterable[Collection[Document]],
    coin: str,
    start: datetime | None,
    end: datetime | None,
) -> datetime | None:
    """Returns the time of a coin's newest document with start <= at < end in these collections."""
    return max(_end_times(collections, coin, start, end, DESCENDING), default=None)


def _end_times(
    collections: Iterable[Collection[Document]],
    coin: str,
    start: datetime | None,
    end: datetime | None,
    order: int,
) -> Iterator[datetime]:
    query = {"_id": key_range(coin, start, end)}
    for collection in collections:
        if found := collection.find_one(query, {"_id": 1}, sort=[("_id", order)]):
            yield found["_id"]["at"]


def _query(
    coin: str, start: datetime | None, end: datetime | None, as_of: datetime | None
) -> Document:
    if as_of is None:
        return {"_id": key_range(coin, start, end)}
    # No record is further ahead of its recording, so newer ones need not be scanned.
    newest = as_of + CLOCK_SKEW + MILLISECOND
    bounds = key_range(coin, start, newest if end is None else min(end, newest))
    return {"_id": bounds, "recorded_at": {"$lte": as_of}}


def _merged(recorded: Iterable[Record], repaired: Iterable[Record]) -> Iterator[Record]:
    last: datetime | None = None
    for one in heapq.merge(recorded, repaired, key=lambda record: record.at, reverse=True):
        if one.at != last:
            yield one
        last = one.at


def _record(document: Document) -> Record:
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
