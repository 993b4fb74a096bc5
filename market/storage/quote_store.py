"""Quotes in MongoDB: each once, read back newest first; the latest of all coins in one document."""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any, Self

from bson import MaxKey, MinKey
from pymongo import DESCENDING, UpdateOne
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from market.ledger.fencing import Check, fenced
from market.model.coin_changes import change_pipeline
from market.model.documents import Coin
from market.model.documents import Quote as QuoteDocument
from market.model.quotes import DEVIATION_WINDOW, Quote
from market.storage.database import LATEST, insert_new
from market.storage.watermarks import Watermarks

MERGE_TRIES = 50
# Each write has 3 s: the first of 5,000 coins' names was seen to take longer, and one of 10,000
# quotes too, once each coin had blocks of its own.
DESCRIBED_AT_ONCE = 1000
RECORDED_AT_ONCE = 2500

Document = dict[str, Any]


@dataclass(frozen=True)
class Latest:
    """The latest quotes by coin, in the version that was read."""

    version: int
    coins: Mapping[str, Document]

    def is_behind(self, quote: Quote) -> bool:
        """Whether the quote is newer than what is known of its coin."""
        known = self.coins.get(quote.coin)
        return known is None or bool(known["at"] < quote.at)

    def has(self, quote: Quote) -> bool:
        """Whether the quote is the one that is known already."""
        known = self.coins.get(quote.coin)
        return known is not None and bool(known["at"] == quote.at)


class QuoteStore:
    """The collections `quotes`, `latest` and `coins` of one database."""

    def __init__(self, database: Database[Document]) -> None:
        self._database = database
        self._quotes: Collection[Document] = database[QuoteDocument._get_collection_name()]
        self._latest: Collection[Document] = database[LATEST]
        self._coins: Collection[Document] = database[Coin._get_collection_name()]
        self._marks = Watermarks(database)

    def under(self, check: Check) -> Self:
        """The same store for as long as a lease is held: each write asks `check` first."""
        return type(self)(fenced(self._database, check))

    def record(self, quotes: Sequence[Quote], *, source: str, recorded_at: datetime) -> int:
        """Inserts quotes; one whose (coin, at) is there already stays as it is. The number new.

        `source` marks those that do not name theirs.
        """
        # In the order of the cluster, each block is read and written once; by rank, neighbours of
        # 17,500 coins came so far apart that each was read anew, which took twice as long.
        by_key = sorted(quotes, key=attrgetter("coin", "at"))
        count = 0
        for first in range(0, len(by_key), RECORDED_AT_ONCE):
            part = by_key[first : first + RECORDED_AT_ONCE]
            documents = [to_document(one, source, recorded_at) for one in part]
            count += insert_new(self._quotes, documents)
        self._marks.invalidate_after(quotes, recorded_at)
        return count

    def newest(self, coin: str, limit: int = DEVIATION_WINDOW) -> list[Document]:
        """A coin's newest quotes as they are stored, newest first."""
        # Bounds on the whole key: a clustered scan of this coin's stretch, in its order.
        stretch = {"$gt": {"coin": coin, "at": MinKey()}, "$lt": {"coin": coin, "at": MaxKey()}}
        return list(self._quotes.find({"_id": stretch}).sort("_id", DESCENDING).limit(limit))

    def latest(self) -> "Latest":
        """The latest quote of every coin ever collected: one read."""
        document = self._latest.find_one({"_id": LATEST})
        if document is None:
            return Latest(0, {})
        return Latest(document["version"], {one["coin"]: one for one in document["coins"]})

    def newest_of_all(self) -> datetime | None:
        """The time of the newest quote of any coin; None before the first."""
        newest = {"$project": {"at": {"$max": "$coins.at"}}}
        found = next(self._latest.aggregate([{"$match": {"_id": LATEST}}, newest]), None)
        return found["at"] if found else None

    def merge_latest(
        self, latest: "Latest", quotes: Sequence[Quote], *, source: str, recorded_at: datetime
    ) -> None:
        """Merges quotes into the latest, as it was read before; the greatest `at` stands.

        Compare-and-set on a version: of two updates at once neither overwrites the other's, and
        one that was frozen overwrites nothing newer.
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
        """The coins that are missing, retired or no longer among those collected."""
        return {one["_id"] for one in self._coins.find({"state": {"$ne": "active"}}, {"_id": 1})}

    def describe(self, quotes: Iterable[Quote], latest: Latest, away: Container[str]) -> None:
        """Keeps names, symbols and ranks that differ from what the latest says.

        A coin that was `away` is active again. Goes before `merge_latest`: an update that dies
        between the two would leave coins that no later one describes.
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
        for first in range(0, len(changes), DESCRIBED_AT_ONCE):
            self._coins.bulk_write(changes[first : first + DESCRIBED_AT_ONCE], ordered=False)

    def mark(self, coin: str, *, state: str, successor: str | None = None) -> None:
        """Notes that a coin is missing or retired; its name and quotes stay."""
        fields = {"state": state, "successor": successor}
        self._coins.update_one({"_id": coin}, change_pipeline(fields), upsert=True)

    def mark_left(self, coins: Sequence[str]) -> None:
        """Notes that coins are no longer among those collected; their names and quotes stay."""
        active = {"_id": {"$in": list(coins)}, "state": "active"}
        self._coins.update_many(active, change_pipeline({"state": "left"}))

    def count(self) -> int:
        """How many quotes are stored, by the collection's own count."""
        return self._quotes.estimated_document_count()

    def coins(self, ids: Sequence[str] | None = None) -> dict[str, Document]:
        """What is known of every coin, or of these, by id."""
        which = {} if ids is None else {"_id": {"$in": list(ids)}}
        return {document["_id"]: document for document in self._coins.find(which)}

    def _replace_latest(self, version: int, coins: list[Document]) -> bool:
        """Puts `coins` in the place of that version; False when it is no longer the one."""
        new = {"version": version + 1, "coins": coins}
        if version:
            held = {"_id": LATEST, "version": version}
            return bool(self._latest.replace_one(held, new).matched_count)
        try:
            self._latest.insert_one({"_id": LATEST, **new})
        except DuplicateKeyError:
            return False
        return True


def to_document(quote: Quote, source: str, recorded_at: datetime) -> Document:
    """A quote as it is stored; `source` marks one that does not name its own."""
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
