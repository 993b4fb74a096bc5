"""What a chaos run sees: MongoDB by a client of its own, the simulator's log, `/stats`."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import requests
from pymongo import ASCENDING, MongoClient
from pymongo.database import Database
from pymongo.errors import PyMongoError

from bench.chaos.served_log import Row
from bench.harness.system import System

DATABASE = "koinx_demo_usd"
LOOK = 0.05
TIMEOUT_MS = 1500  # a mongod that is frozen must not freeze the witness
OPEN = ["received", "running"]

Document = dict[str, Any]
Found = TypeVar("Found")


class RestartedError(Exception):
    """The simulator was started anew: what it had served is forgotten."""


class Witness:
    """Looks at a system without any of its own code for storing."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._client: MongoClient[Document] | None = None
        self._url: str | None = None
        self._served: list[Row] = []

    def close(self) -> None:
        """Ends the connection to MongoDB."""
        if self._client is not None:
            self._client.close()

    def database(self) -> Database[Document]:
        """The demo's database, wherever mongod listens now."""
        url = self._system.server("mongodb")
        if self._client is None or url != self._url:
            self.close()
            self._url = url
            self._client = MongoClient(url, tz_aware=True, timeoutMS=TIMEOUT_MS)
        return self._client[DATABASE]

    def first_done(self, since: datetime, within: float) -> Document | None:
        """The first slot's update to be done of those received after `since`, or None."""
        which = {"state": "done", "trigger": "schedule", "received_at": {"$gt": since}}

        def look() -> Document | None:
            return self.database()["updates"].find_one(which, sort=[("finished_at", ASCENDING)])

        return _wait(look, within)

    def done(self, update_id: str, within: float) -> Document | None:
        """The update once it is done, or None."""
        which = {"_id": update_id, "state": "done"}
        return _wait(lambda: self.database()["updates"].find_one(which), within)

    def done_since(self, since: datetime, number: int, within: float) -> bool:
        """Whether so many updates that were received after `since` get done in time."""
        which = {"state": "done", "received_at": {"$gt": since}}
        return bool(
            _wait(lambda: self.database()["updates"].count_documents(which) >= number, within)
        )

    def closed(self, until: datetime, within: float) -> bool:
        """Whether all updates that were received before `until` come to an end in time."""
        which = {"state": {"$in": OPEN}, "received_at": {"$lt": until}}
        return bool(_wait(lambda: not self.database()["updates"].count_documents(which), within))

    def whole(self, every: int, within: float) -> bool:
        """Whether every slot between the first and the last gets an update in time."""

        def look() -> bool:
            found = self.database()["updates"].distinct("slot", {"slot": {"$type": "date"}})
            span: float = (max(found) - min(found)).total_seconds()
            return len(found) == span // every + 1

        return bool(_wait(look, within))

    def updates(self) -> list[Document]:
        """The whole ledger, by the time at which each was received."""
        return list(self.database()["updates"].find().sort("received_at", ASCENDING))

    def quotes(self) -> list[Document]:
        """Every quote."""
        return list(self.database()["quotes"].find())

    def served(self) -> list[Row]:
        """Every row that the simulator ever served; raises RestartedError."""
        known = len(self._served)
        found = self._system.market().served(known)
        if found["lost"] or found["next"] < known:
            raise RestartedError(f"{known} rows were seen, it tells from {found['next']} on")
        self._served += map(Row.of, found["rows"])
        return self._served

    def wrong_stats(self, quotes: list[Document], within: float) -> list[str]:
        """The coins of which `/stats` does not come to answer the newest of these quotes."""
        newest = {quote["_id"]["coin"]: quote for quote in sorted(quotes, key=_at)}
        left = dict(newest)

        def look() -> bool:
            for coin, quote in list(left.items()):
                if self._stats(coin) == {
                    "price": quote["price"],
                    "marketCap": quote["market_cap"],
                    "24hChange": quote["change_24h"],
                }:
                    del left[coin]
            return not left

        _wait(look, within)
        return [f"/stats?coin={coin} answers {self._stats(coin)}" for coin in left]

    def _stats(self, coin: str) -> Any:
        answer = requests.get(f"{self._system.api}/stats", params={"coin": coin}, timeout=10)
        return answer.json()


def now() -> datetime:
    """This moment, as MongoDB could hold it."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _at(quote: Document) -> Any:
    return quote["_id"]["at"]


def _wait(look: Callable[[], Found | None], within: float) -> Found | None:
    """What `look` returns once it is true, or None; whatever is down is asked again."""
    end = time.monotonic() + within
    while time.monotonic() < end:
        try:
            if found := look():
                return found
        except (PyMongoError, requests.RequestException):
            pass
        time.sleep(LOOK)
    return None
