"""All stored quotes of a coin, or of every coin, in any number: read page by page."""

from collections.abc import Iterator
from datetime import datetime

from bson import MaxKey
from pymongo import ASCENDING
from pymongo.collection import Collection
from pymongo.database import Database

from market.storage.database import QUOTES, REPAIRED, Document
from market.storage.quote_history import History, Record

PAGE = 2000  # records a read: about 12 ms, and 3 MB while they are held


class Stream:
    """The quotes of one database, the repaired ones among them if asked for.

    Each page is a read of its own that begins where the last one ended. A cursor would not do: a
    server ends one that nobody reads from, and a reader may be slow.
    """

    def __init__(self, database: Database[Document], *, repaired: bool = False) -> None:
        self._history = History(database)
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
