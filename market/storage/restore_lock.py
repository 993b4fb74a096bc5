"""Lets one restore at a time into a database, on whichever host it runs."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from uuid import uuid4

from pymongo import ReturnDocument
from pymongo.database import Database
from pymongo.errors import PyMongoError

import logs
from market.ledger.claims import from_now, has_passed
from market.schedule.clock import elapsed
from market.storage.database import Document

log = logs.get(__name__)

RESTORE = "restore"  # the claim's id
CLAIMS = "restore_claim"
LEASE_SECONDS = 30  # after which the claim of one that died ends by itself
RENEW_SECONDS = 5


class RestoreInProgress(Exception):
    """Another restore runs, or took this one's place; says which."""


class RestoreLock:
    """The claim of the restore that runs, renewed by a thread every 5 s."""

    def __init__(self, database: Database[Document], what: str) -> None:
        self._claims = database[CLAIMS]
        self.token = uuid4().hex
        self._who = f"{what}, process {os.getpid()} on {socket.gethostname()}"
        self._held_until = 0.0
        self._ended = threading.Event()

    def check(self) -> None:
        """Raises RestoreInProgress when another restore may hold the claim by now.

        Goes before every write.
        """
        if elapsed() >= self._held_until:
            raise RestoreInProgress(
                f"the restore stood still for {LEASE_SECONDS} s, so another may run: try again"
            )

    def take(self) -> None:
        """Takes the claim unless another has it. Raises RestoreInProgress, and what MongoDB
        raises."""
        asked = elapsed()
        mine = {
            "_id": RESTORE,
            "token": self.token,
            "who": {"$literal": self._who},
            "since": "$$NOW",
            "until": from_now(LEASE_SECONDS),
        }
        free = has_passed("until", LEASE_SECONDS)
        found: Document = (
            self._claims.find_one_and_update(
                {"_id": RESTORE},
                [{"$replaceWith": {"$cond": [free, mine, "$$ROOT"]}}],
                upsert=True,
                return_document=ReturnDocument.AFTER,
            )
            or {}
        )  # after an upsert there is one
        if found["token"] != self.token:
            raise RestoreInProgress(
                f"a restore of {found['who']} has run since {found['since']:%F %T} UTC; nothing "
                "was changed. Wait for its end: if it was killed, it ends by itself after "
                f"{LEASE_SECONDS} s"
            )
        self._held_until = asked + LEASE_SECONDS

    def renew_until_ended(self) -> None:
        """Prolongs the claim while it is held; ends when another has it."""
        while not self._ended.wait(RENEW_SECONDS):
            asked = elapsed()
            try:
                renewed = self._claims.update_one(
                    {"_id": RESTORE, "token": self.token},
                    [{"$set": {"until": from_now(LEASE_SECONDS)}}],
                )
            except Exception:  # `check` knows for how long MongoDB may be out of reach
                log.warning("restore lease not renewed", exc_info=True)
                continue
            if not renewed.matched_count:
                self._held_until = 0.0
                return
            self._held_until = asked + LEASE_SECONDS

    def give_back(self) -> None:
        """Ends the claim at once."""
        self._ended.set()
        with suppress(PyMongoError):  # it ends by itself
            self._claims.delete_one({"_id": RESTORE, "token": self.token})


@contextmanager
def restore_lock(database: Database[Document], what: str) -> Iterator[RestoreLock]:
    """No other restore goes into the database meanwhile. Raises RestoreInProgress, and what
    MongoDB raises."""
    claim = RestoreLock(database, what)
    claim.take()
    thread = threading.Thread(target=claim.renew_until_ended, name="restore", daemon=True)
    thread.start()
    try:
        yield claim
    finally:
        claim.give_back()
        thread.join(RENEW_SECONDS)
