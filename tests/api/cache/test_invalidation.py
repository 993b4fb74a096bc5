"""Finding updates that no event announced, and knowing whether this slot's is done."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo.database import Database
from pymongo.errors import AutoReconnect

from api.cache import invalidation
from api.cache.invalidation import TRUST_SECONDS, UpdateWatcher
from api.cache.response_cache import ResponseCache
from bench.harness.services import wait_until
from market.ledger.event_log import EventLog
from market.ledger.ledger import Ledger
from market.schedule.slots import Schedule
from market.storage.database import Document
from tests.harness.ledger_entries import close, closed

SCHEDULE = Schedule("*/15 * * * *")
SLOT = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)
NOW = SLOT + timedelta(minutes=3)
NEXT = SLOT + timedelta(minutes=15)


class Dying(EventLog):
    """EventLog that can't be read any more from some moment on."""

    is_down = False

    def newest(self) -> int:
        if self.is_down:
            raise AutoReconnect("nobody there")
        return super().newest()


def is_trusted(cache: ResponseCache) -> bool:
    return cache.is_trusted(time.monotonic())


def test_the_cache_is_trusted_while_the_ledger_can_be_read(
    database: Database[Document], ledger: Ledger
) -> None:
    cache, closings = ResponseCache(), Dying(database)
    assert not is_trusted(cache)
    UpdateWatcher(closings, ledger, SCHEDULE, cache).start()
    wait_until(lambda: is_trusted(cache), "trust")
    closings.is_down = True
    wait_until(lambda: not is_trusted(cache), "distrust", 4 * TRUST_SECONDS)
    closings.is_down = False
    wait_until(lambda: is_trusted(cache), "trust again")


@pytest.mark.row("news-lost")
def test_an_end_that_nobody_told_of_drops_it(database: Database[Document], ledger: Ledger) -> None:
    closed(ledger, "update-1", "done")
    cache = ResponseCache()
    UpdateWatcher(EventLog(database), ledger, SCHEDULE, cache).start()
    wait_until(lambda: is_trusted(cache), "trust")
    known = cache.generation
    closed(ledger, "update-2", "done")
    wait_until(lambda: cache.generation > known, "a drop")


def watcher(database: Database[Document], ledger: Ledger) -> UpdateWatcher:
    return UpdateWatcher(EventLog(database), ledger, SCHEDULE, ResponseCache())


def end_slot(ledger: Ledger, state: str, slot: datetime = SLOT) -> None:
    name = SCHEDULE.name(slot)
    ledger.receive(name, trigger="schedule", slot=slot, hops={})
    close(ledger, name, state)


def test_news_comes_with_the_next_slot_once_this_one_s_update_is_in(
    database: Database[Document], ledger: Ledger
) -> None:
    end_slot(ledger, "done")
    known = watcher(database, ledger)
    assert known.next_update(NOW) == NEXT
    assert known.next_update(NEXT - timedelta(seconds=1)) == NEXT


@pytest.mark.parametrize("state", [None, "received", "failed"])
def test_till_then_it_is_awaited(
    database: Database[Document], ledger: Ledger, state: str | None
) -> None:
    end_slot(ledger, "done", SLOT - timedelta(minutes=15))
    if state == "received":
        ledger.receive(SCHEDULE.name(SLOT), trigger="schedule", slot=SLOT, hops={})
    elif state:
        end_slot(ledger, state)
    assert watcher(database, ledger).next_update(NOW) is None


def test_what_was_asked_for_in_between_is_not_the_slot_s(
    database: Database[Document], ledger: Ledger
) -> None:
    ledger.receive("request-1", trigger="request", slot=None, hops={})
    close(ledger, "request-1", "done")
    assert watcher(database, ledger).next_update(NOW) is None


def test_the_next_slot_is_awaited_anew(database: Database[Document], ledger: Ledger) -> None:
    end_slot(ledger, "done")
    known = watcher(database, ledger)
    assert known.next_update(NOW) == NEXT
    assert known.next_update(NEXT) is None


def test_the_ledger_is_asked_twice_a_second(
    database: Database[Document], ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    get = ledger.get

    def counted(name: str) -> dict[str, Any] | None:
        asked.append(name)
        return get(name)

    monkeypatch.setattr(ledger, "get", counted)
    known = watcher(database, ledger)
    for _ in range(20):
        assert known.next_update(NOW) is None
    assert len(asked) == 1

    end_slot(ledger, "done")
    monkeypatch.setattr(invalidation, "CHECK_SECONDS", 0)
    for _ in range(20):
        assert known.next_update(NOW) == NEXT
    assert len(asked) == 2
