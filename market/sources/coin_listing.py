"""A second source's list of all its coins, asked for once a day and kept in the database."""

import json
import zlib
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

from bson.errors import InvalidDocument
from pymongo.database import Database
from pymongo.errors import PyMongoError

import logs
from logs.redaction import plain
from market.schedule.clock import server_time
from market.sources.http import Deadline, SourceError
from market.storage.database import Document

log = logs.get(__name__)

COLLECTION = "listings"
FRESH = timedelta(days=1)
USABLE = timedelta(days=7)  # while the source does not give a newer one

Listed = list[dict[str, Any]]


class Listing:
    """The active coins of the source `name`, each with `id`, `symbol` and `name`.

    One document for all processes and hosts of a home, so that each of them does not ask for a
    list of some megabytes: `ask` is called when the kept one is older than `fresh`.
    """

    def __init__(
        self,
        database: Database[Document],
        name: str,
        ask: Callable[[Deadline], Listed],
        fresh: timedelta = FRESH,
    ) -> None:
        self._database = database
        self._kept = database[COLLECTION]
        self._name = name
        self._ask = ask
        self._fresh = fresh

    def __call__(self, deadline: Deadline) -> Listed:
        """The list. One of up to 7 days serves while the source does not answer with another.

        Raises SourceError without one, and what MongoDB raises.
        """
        now = server_time(self._database)
        kept = self._kept.find_one({"_id": self._name, "at": {"$gt": now - USABLE}})
        if kept and kept["at"] > now - self._fresh:
            return _unpacked(kept["coins"])
        try:
            found = self._ask(deadline)
        except SourceError as error:
            if kept is None:
                raise SourceError(
                    f"{error}; no coin can be told from another without it"
                ) from error
            log.warning(
                "kept list of coins used", source=self._name, at=kept["at"], reason=plain(error)
            )
            return _unpacked(kept["coins"])
        with suppress(
            PyMongoError, InvalidDocument
        ):  # one that could not be kept is asked for again
            packed = zlib.compress(json.dumps(found).encode())
            self._kept.replace_one({"_id": self._name}, {"at": now, "coins": packed}, upsert=True)
        return found


def _unpacked(packed: bytes) -> Listed:
    found: Listed = json.loads(zlib.decompress(packed))
    return found
