"""Stores quotes in MongoDB, and the latest quote and the properties of each coin."""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Self

from pymongo import DESCENDING, UpdateOne
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from market.ledger.fencing import Check, fenced
from market.model.coin_changes import change_pipeline
from market.model.documents import Coin
from market.model.quotes import DEVIATION_WINDOW, Quote
from market.storage.database import LATEST, QUOTES, Document, insert_new
from market.storage.quote_history import key_range
from market.storage.watermarks import Watermarks

MERGE_TRIES = 50
# Each write has 3 s. The first write of 5,000 coins' names took longer, and so did one of 10,000
# quotes once each coin had blocks of its own.
COIN_BATCH = 1000
QUOTE_BATCH = 2500


@dataclass(frozen=True)
class Latest:
    """The latest quotes by coin, with the version of the document they were read from."""

    version: int
    coins: Mapping[str, Document]

    def is_behind(self, quote: Quote) -> bool:
        """Returns whether the quote is newer than the latest one of its coin."""
        known = self.coins.get(quote.coin)
        return known is None or bool(known["at"] < quote.at)

    def has(self, quote: Quote) -> bool:
        """Returns whether the quote is the latest one of its coin already."""
        known = self.coins.get(quote.coin)
        return known is not None and bool(known["at"] == quote.at)


class QuoteStore:
    """The collections `quotes`, `latest` and `coins` of one database.

    Writes use the database that they are given, so that `under` can put them under a lease.
    """

    def __init__(self, database: Database[Document]) -> None:
        self._database = database
        self._quotes: Collection[Document] = database[QUOTES]
        self._latest: Collection[Document] = database[LATEST]
        self._coins: Collection[Document] = database[Coin._get_collection_name()]
        self._watermarks = Watermarks(database)

    def under(self, check: Check) -> Self:
        """Returns this store under a lease: `check` runs before each operation."""
        return type(self)(fenced(self._database, check))

    def record(self, quotes: Sequence[Quote], *, source: str, recorded_at: datetime) -> int:
        """Inserts quotes that are not stored yet, and returns how many those are.

        `source` applies to quotes that do not name theirs.
        """
        # In the order of the cluster, each block is read and written once. In the order of rank,
        # neighbours among 17,500 coins were so far apart that it took twice as long.
        by_key = sorted(quotes, key=attrgetter("coin", "at"))
        count = 0
        for first in range(0, len(by_key), QUOTE_BATCH):
            part = by_key[first : first + QUOTE_BATCH]
            documents = [to_document(one, source, recorded_at) for one in part]
            count += insert_new(self._quotes, documents)
        self._watermarks.invalidate_after(quotes, recorded_at)
        return count

    def newest(self, coin: str, limit: int = DEVIATION_WINDOW) -> list[Document]:
        """Returns a coin's newest quotes as they are stored, newest first."""
        query = {"_id": key_range(coin, None, None)}
        return list(self._quotes.find(query).sort("_id", DESCENDING).limit(limit))

    def latest(self) -> "Latest":
        """Reads the latest quote of every coin ever collected, in one document."""
        document = self._latest.find_one({"_id": LATEST})
        if document is None:
            return Latest(0, {})
        return Latest(document["version"], {one["coin"]: one for one in document["coins"]})

    def newest_of_all(self) -> datetime | None:
        """Returns the time of the newest quote of any coin; None before the first."""
        newest = {"$project": {"at": {"$max": "$coins.at"}}}
        found = next(self._latest.aggregate([{"$match": {"_id": LATEST}}, newest]), None)
        return found["at"] if found else None

    def merge_latest(
        self, latest: "Latest", quotes: Sequence[Quote], *, source: str, recorded_at: datetime
    ) -> None:
        """Merges quotes into the latest ones; of two quotes of a coin the newer one stays.

        It compares and sets a version: of two concurrent updates neither overwrites the other's
        quotes, and one that was frozen overwrites nothing newer.
        """
        for _ in range(MERGE_TRIES):
            newer = [quote for quote in quotes if latest.is_behind(quote)]
            if not newer:
                return
            entries = {q.coin: _latest_entry(q, source, recorded_at) for q in newer}
            if self._replace_latest(latest.version, [*{**latest.coins, **entries}.values()]):
                return
            latest = self.latest()
        raise RuntimeError(f"the latest quotes changed {MERGE_TRIES} times while merging")

    def away(self) -> set[str]:
        """Returns the coins that are missing, retired or no longer collected."""
        # Not by `Coin.objects`, which took twice as long for 10,000 coins; each update reads them.
        return {one["_id"] for one in self._coins.find({"state": {"$ne": "active"}}, {"_id": 1})}

    def describe(self, quotes: Iterable[Quote], latest: Latest, away: Container[str]) -> None:
        """Stores names, symbols and ranks that differ from the latest ones.

        A coin that was `away` becomes active again. Call it before `merge_latest`: an update that
        died between the two would leave coins that no later one describes.
        """
        changes = [
            UpdateOne(
                {"_id": q.coin},
                change_pipeline(
                    {
                        "name": q.name,
                        "symbol": q.symbol,
                        "rank": q.rank,
                        "image": q.image,
                        "state": "active",
                        "successor": None,
                    }
                ),
                upsert=True,
            )
            for q in quotes
            if q.coin in away or not _same_coin(q, latest.coins.get(q.coin))
        ]
        for first in range(0, len(changes), COIN_BATCH):
            self._coins.bulk_write(changes[first : first + COIN_BATCH], ordered=False)

    def mark(self, coin: str, *, state: str, successor: str | None = None) -> None:
        """Marks a coin as missing or retired; its name and quotes stay."""
        fields = {"state": state, "successor": successor}
        self._coins.update_one({"_id": coin}, change_pipeline(fields), upsert=True)

    def mark_left(self, coins: Sequence[str]) -> None:
        """Marks coins as no longer collected; their names and quotes stay."""
        active = {"_id": {"$in": list(coins)}, "state": "active"}
        self._coins.update_many(active, change_pipeline({"state": "left"}))

    def count(self) -> int:
        """Returns the collection's own estimate of the number of quotes."""
        return self._quotes.estimated_document_count()

    def coins(self, ids: Sequence[str] | None = None) -> dict[str, Document]:
        """Returns the properties of every coin, or of these, by id."""
        # Not by `Coin.objects`: for a page of 250 coins it took 4.3 ms instead of 1.6.
        query: Document = {} if ids is None else {"_id": {"$in": list(ids)}}
        return {document["_id"]: document for document in self._coins.find(query)}

    def _replace_latest(self, version: int, coins: list[Document]) -> bool:
        """Replaces that version by `coins`; False if it is no longer the current one."""
        new = {"version": version + 1, "coins": coins}
        if version:
            current = {"_id": LATEST, "version": version}
            return bool(self._latest.replace_one(current, new).matched_count)
        try:
            self._latest.insert_one({"_id": LATEST, **new})
        except DuplicateKeyError:
            return False
        return True


def to_document(quote: Quote, source: str, recorded_at: datetime) -> Document:
    """Returns a quote as it is stored; `source` applies if it does not name its own."""
    return {
        "_id": {"coin": quote.coin, "at": quote.at},
        "price": quote.price,
        "market_cap": quote.market_cap,
        "change_24h": quote.change_24h,
        "volume_24h": quote.volume_24h,
        "source": quote.source or source,
        "recorded_at": recorded_at,
    }


def _latest_entry(quote: Quote, source: str, recorded_at: datetime) -> Document:
    return {
        "coin": quote.coin,
        "at": quote.at,
        "price": quote.price,
        "market_cap": quote.market_cap,
        "change_24h": quote.change_24h,
        "volume_24h": quote.volume_24h,
        "name": quote.name,
        "symbol": quote.symbol,
        "rank": quote.rank,
        "source": quote.source or source,
        "recorded_at": recorded_at,
    }


def _same_coin(quote: Quote, known: Document | None) -> bool:
    return known is not None and (
        known.get("name") == quote.name
        and known.get("symbol") == quote.symbol
        and known.get("rank") == quote.rank
    )
