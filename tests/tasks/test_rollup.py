"""The task that rolls up and deletes, run in this process on real servers."""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis as redis_client
from pymongo.database import Database

from market.model.candle import DAY, HOUR, floor_to
from market.schedule.clock import server_time
from market.storage.database import QUOTES, Document
from market.storage.watermarks import Watermarks
from tasks import rollup, worker_shutdown
from tasks.dependencies import Services
from tests.harness.coin_history_data import document, known_until
from tests.harness.worker import in_a_worker


@pytest.fixture
def on(
    environment: None, database: Database[Document], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Services]:
    """A system with 30 days of an hourly coin, that keeps 20 days."""
    today = floor_to(datetime.now(UTC), DAY)
    old = [document("bitcoin", today - n * HOUR, 1.0) for n in range(30 * 24)]
    database[QUOTES].insert_many(old)
    known_until(database, bitcoin=today)
    monkeypatch.setenv("RETENTION", "20")
    with in_a_worker() as made:
        yield made


def test_what_is_old_is_rolled_up_and_what_is_older_deleted(on: Services) -> None:
    assert rollup.roll_up() >= 2
    mark = Watermarks(on.database).of("bitcoin")
    assert mark.until == floor_to(datetime.now(UTC) - 7 * DAY, DAY)
    assert mark.kept_from is not None
    assert floor_to(datetime.now(UTC), DAY) - 27 * DAY < mark.kept_from
    assert rollup.roll_up() == 0


def test_one_process_does_it_at_a_time(on: Services, redis: str) -> None:
    with redis_client.Redis.from_url(redis) as other:
        lock = other.lock(rollup.LOCK, timeout=30)
        assert lock.acquire()
        assert rollup.roll_up() == 0
        lock.release()
    assert rollup.roll_up() > 0


def test_a_worker_that_ends_leaves_the_rest_to_the_next(
    on: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(worker_shutdown, "has_begun", lambda: True)
        assert rollup.roll_up() == 1
    assert rollup.roll_up() >= 1


def test_a_run_ends_in_time_and_the_next_one_goes_on(
    on: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollup, "RUN_SECONDS", 0.0)
    count = 0
    while rollup.roll_up():
        count += 1
    assert count >= 2
    assert Watermarks(on.database).of("bitcoin").kept_from is not None


AHEAD = timedelta(days=300)


class FarAhead(datetime):
    """The clock of a host that is months ahead."""

    @classmethod
    def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
        return datetime.now(tz) + AHEAD


def far_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each module that rolls up or deletes has that clock."""
    for name in ("tasks.rollup", *(one for one in sys.modules if one.startswith("market."))):
        if name != "market.schedule.clock" and hasattr(sys.modules[name], "datetime"):
            monkeypatch.setattr(sys.modules[name], "datetime", FarAhead)


def rolled_up_and_deleted(on: Services) -> tuple[datetime, int]:
    while rollup.roll_up():
        pass
    mark = Watermarks(on.database).of("bitcoin")
    assert mark.until is not None
    return mark.until, on.database[QUOTES].count_documents({})


@pytest.mark.row("retention-clock")
@pytest.mark.parametrize("both", [False, True])
def test_a_clock_that_is_months_ahead_deletes_nothing_early(
    on: Services, monkeypatch: pytest.MonkeyPatch, both: bool
) -> None:
    # Given a worker whose clock is ahead, or MongoDB's as well
    right = server_time
    far_ahead(monkeypatch)
    if both:
        monkeypatch.setattr(
            rollup, "server_time", lambda database: right(database) + AHEAD, raising=False
        )
    # When all is done that is to be done
    until, count = rolled_up_and_deleted(on)
    # Then what is left is as with clocks that are right
    monkeypatch.undo()
    today = on.store.latest().coins["bitcoin"]["at"]
    assert until == today - 7 * DAY
    assert 20 * 24 + 100 <= count < 20 * 24 + 124  # whole days, and the 100 before the edge
    assert rolled_up_and_deleted(on) == (until, count)
