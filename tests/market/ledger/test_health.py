"""How updates are doing, read from the ledger."""

from datetime import UTC, datetime, timedelta

import pytest
from pymongo.database import Database

from market.ledger.alerts import HealthMonitor
from market.ledger.ledger import Ledger
from market.schedule.slots import Schedule
from market.storage.database import Document
from tests.harness.update_health import end

QUARTERS = Schedule("*/15 * * * *")


@pytest.fixture
def monitor(database: Database[Document]) -> HealthMonitor:
    return HealthMonitor(database, QUARTERS)


def test_before_any_end_nothing_is_known(monitor: HealthMonitor, ledger: Ledger) -> None:
    assert monitor.check(datetime.now(UTC)) is None
    ledger.receive("open", trigger="event", slot=None, hops={})
    ledger.enter_missed({"missed": datetime.now(UTC)})
    assert monitor.check(datetime.now(UTC)) is None


def test_it_fails_since_the_first_failure_after_the_last_success(
    monitor: HealthMonitor, ledger: Ledger
) -> None:
    end(ledger, "early", "failed", "long ago")
    good = end(ledger, "good", "done")
    first = end(ledger, "bad 1", "failed", "429")
    end(ledger, "bad 2", "failed", "no internet connection")
    found = monitor.check(datetime.now(UTC))
    assert found is not None
    assert (found.state, found.since, found.last_success) == ("failing", first, good)
    assert (found.update, found.error) == ("bad 2", "no internet connection")
    newest = end(ledger, "good again", "done")
    found = monitor.check(datetime.now(UTC))
    assert found is not None
    assert (found.state, found.since, found.error) == ("well", newest, None)


def test_it_is_stale_when_two_slots_began_since_the_last_success(
    monitor: HealthMonitor, ledger: Ledger
) -> None:
    good = end(ledger, "good", "done")
    in_next, in_second = (
        QUARTERS.earlier(QUARTERS.following(good) + timedelta(minutes=15 * n), 0) for n in (0, 1)
    )
    for now, state in ((in_next, "well"), (in_second, "stale")):
        found = monitor.check(now)
        assert found is not None
        assert (found.state, found.since) == (state, good)


def test_a_schedule_of_seconds_is_not_stale_at_once(
    database: Database[Document], ledger: Ledger
) -> None:
    monitor = HealthMonitor(database, Schedule("*/5 * * * * *"))
    good = end(ledger, "good", "done")
    states = [monitor.check(good + timedelta(seconds=after)) for after in (100, 130)]
    assert [found.state for found in states if found] == ["well", "stale"]
