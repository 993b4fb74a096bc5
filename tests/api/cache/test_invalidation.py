"""Looking for updates that ended unheard."""

import time

import pytest
from pymongo.database import Database
from pymongo.errors import AutoReconnect

from api.cache.invalidation import TRUST_SECONDS, look_out
from api.cache.response_cache import ResponseCache
from bench.harness.services import wait_until
from market.ledger.event_log import EventLog
from market.ledger.ledger import Ledger
from market.storage.database import Document
from tests.harness.ledger_entries import closed


class Dying(EventLog):
    """EventLog that can't be read any more from some moment on."""

    is_down = False

    def newest(self) -> int:
        if self.is_down:
            raise AutoReconnect("nobody there")
        return super().newest()


def is_trusted(snapshot: ResponseCache) -> bool:
    return snapshot.is_trusted(time.monotonic())


def test_the_snapshot_is_trusted_while_the_ledger_can_be_read(database: Database[Document]) -> None:
    snapshot, closings = ResponseCache(), Dying(database)
    assert not is_trusted(snapshot)
    look_out(closings, snapshot)
    wait_until(lambda: is_trusted(snapshot), "trust")
    closings.is_down = True
    wait_until(lambda: not is_trusted(snapshot), "distrust", 4 * TRUST_SECONDS)
    closings.is_down = False
    wait_until(lambda: is_trusted(snapshot), "trust again")


@pytest.mark.row("news-lost")
def test_an_end_that_nobody_told_of_drops_it(database: Database[Document], ledger: Ledger) -> None:
    closed(ledger, "update-1", "done")
    snapshot = ResponseCache()
    look_out(EventLog(database), snapshot)
    wait_until(lambda: is_trusted(snapshot), "trust")
    known = snapshot.generation
    closed(ledger, "update-2", "done")
    wait_until(lambda: snapshot.generation > known, "a drop")
