"""The tasks that mend history, run in this process on real servers."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import redis as redis_client

from bench.harness.services import SimulatorControl
from tasks import ingest, repair, worker_shutdown
from tasks.dependencies import Services
from tests.harness.worker import in_a_worker


@pytest.fixture
def on(environment: None, database: object) -> Iterator[Services]:
    """A system whose first update has just ended."""
    with in_a_worker() as made:
        made.ledger.receive("first", trigger="event", slot=None, hops={})
        assert ingest.ingest("first") == "done"
        yield made


def test_the_first_update_is_followed_by_a_hundred_records_of_every_coin(on: Services) -> None:
    # When
    wanted = repair.plan()
    while repair.mend():
        pass
    # Then
    assert wanted == len(on.store.latest().coins) == 20
    assert on.repairs.count(state="done") == wanted
    for coin in on.store.latest().coins:
        records = on.history.records(coin, limit=100, repaired=True)
        assert len(records) == 100, coin
        assert sum(record.resolution is not None for record in records) >= 99
    assert repair.plan() == 0
    assert repair.mend() == 0


def test_one_process_mends_at_a_time(on: Services, redis: str) -> None:
    repair.plan()
    assert on.repairs.count(state="waiting") == 20
    with redis_client.Redis.from_url(redis) as other:
        lock = other.lock(repair.LOCK, timeout=30)
        assert lock.acquire()
        assert repair.mend() == 0
        lock.release()
    assert repair.mend() > 0


def test_paused_repairs_wait_until_they_may_go_on(on: Services) -> None:
    repair.plan()
    on.repairs.pause(datetime.now(UTC))
    assert repair.mend() == 0
    assert on.repairs.count(state="waiting") == 20
    on.repairs.resume()
    assert repair.mend() > 0


def test_a_worker_that_ends_leaves_the_repairs_to_the_next(
    on: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    repair.plan()
    told = iter([False, True])
    with monkeypatch.context() as patch:
        patch.setattr(worker_shutdown, "has_begun", lambda: next(told))
        assert repair.mend() == 1
    assert repair.mend() == 19


def test_a_source_that_limits_the_calls_ends_the_run_and_loses_nothing(
    on: Services, simulator: SimulatorControl
) -> None:
    # Given
    repair.plan()
    simulator.fault("rate_limited", retry_after=119, times=99)
    # When
    assert repair.mend() == 0
    # Then
    assert (on.repairs.count(state="waiting"), on.repairs.count()) == (20, 20)
    assert on.repairs.count(state="done") == 0


def test_a_source_that_fails_is_left_alone_for_a_while(
    on: Services, simulator: SimulatorControl, redis: str
) -> None:
    # Given
    repair.plan()
    simulator.fault("server_error", status=500, times=99)
    # When
    assert repair.mend() == 0
    simulator.clear()
    # Then nobody asks again at once
    assert repair.mend() == 0
    with redis_client.Redis.from_url(redis) as client:
        assert 290 < client.ttl(repair.LOCK) <= 300
        client.delete(repair.LOCK)
    # and nothing is lost
    while repair.mend():
        pass
    assert on.repairs.count(state="done") == 19
    assert on.repairs.count(state="waiting") == 1
