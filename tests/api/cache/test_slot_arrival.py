"""Whether the present slot's update is in."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from api.cache import slot_arrival
from api.cache.slot_arrival import Arrivals
from market.ledger.ledger import Ledger
from market.schedule.slots import Schedule
from tests.harness.ledger_entries import close

SCHEDULE = Schedule("*/15 * * * *")
SLOT = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)
NOW = SLOT + timedelta(minutes=3)
NEXT = SLOT + timedelta(minutes=15)


def end_slot(ledger: Ledger, state: str, slot: datetime = SLOT) -> None:
    name = SCHEDULE.name(slot)
    ledger.receive(name, trigger="schedule", slot=slot, hops={})
    close(ledger, name, state)


def test_news_comes_with_the_next_slot_once_this_one_s_update_is_in(ledger: Ledger) -> None:
    end_slot(ledger, "done")
    known = Arrivals(SCHEDULE, ledger)
    assert known.next_news(NOW) == NEXT
    assert known.next_news(NEXT - timedelta(seconds=1)) == NEXT


@pytest.mark.parametrize("state", [None, "received", "failed"])
def test_till_then_it_is_awaited(ledger: Ledger, state: str | None) -> None:
    end_slot(ledger, "done", SLOT - timedelta(minutes=15))
    if state == "received":
        ledger.receive(SCHEDULE.name(SLOT), trigger="schedule", slot=SLOT, hops={})
    elif state:
        end_slot(ledger, state)
    assert Arrivals(SCHEDULE, ledger).next_news(NOW) is None


def test_what_was_asked_for_in_between_is_not_the_slot_s(ledger: Ledger) -> None:
    ledger.receive("request-1", trigger="request", slot=None, hops={})
    close(ledger, "request-1", "done")
    assert Arrivals(SCHEDULE, ledger).next_news(NOW) is None


def test_the_next_slot_is_awaited_anew(ledger: Ledger) -> None:
    end_slot(ledger, "done")
    known = Arrivals(SCHEDULE, ledger)
    assert known.next_news(NOW) == NEXT
    assert known.next_news(NEXT) is None


def test_the_ledger_is_asked_once_a_second(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    get = ledger.get

    def counted(name: str) -> dict[str, Any] | None:
        asked.append(name)
        return get(name)

    monkeypatch.setattr(ledger, "get", counted)
    known = Arrivals(SCHEDULE, ledger)
    for _ in range(20):
        assert known.next_news(NOW) is None
    assert len(asked) == 1

    end_slot(ledger, "done")
    monkeypatch.setattr(slot_arrival, "LOOK_SECONDS", 0)
    for _ in range(20):
        assert known.next_news(NOW) == NEXT
    assert len(asked) == 2
