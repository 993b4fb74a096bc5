"""The API's broadcaster on a real ledger."""

import threading
from collections.abc import Iterator

import pytest
from pymongo.database import Database

from api.events import broadcaster as api_feed
from api.events.broadcaster import Broadcaster
from bench.harness.services import wait_until
from market.ledger.event_log import EventLog
from market.ledger.ledger import Ledger
from market.storage.database import Document
from tests.harness.event_log import claimed, close


@pytest.fixture
def closings(database: Database[Document]) -> EventLog:
    return EventLog(database)


@pytest.fixture
def feed(closings: EventLog, monkeypatch: pytest.MonkeyPatch) -> Iterator[Broadcaster]:
    monkeypatch.setattr(api_feed, "CHECK_SECONDS", 0.05)
    made = Broadcaster(closings, "simulator")
    yield made
    made.end()
    wait_until(lambda: not following(), "its thread to end")


def following() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "broadcaster"]


def end(ledger: Ledger, name: str, state: str = "done") -> None:
    close(ledger, claimed(ledger, name), state)
