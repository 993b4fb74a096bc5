"""The task that rolls up and deletes, run in this process on real servers."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import redis as redis_client
from pymongo.database import Database

from market.candle import DAY, HOUR, down
from market.database import QUOTES, Document
from market.marks import Marks
from tasks import rollup
from tasks.services import Services
from tests.past_data import document
from tests.test_tasks_services import in_a_worker


@pytest.fixture
def on(
    environment: None, database: Database[Document], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Services]:
    """A system with 30 days of an hourly coin, that keeps 20 days."""
    today = down(datetime.now(UTC), DAY)
    old = [document("bitcoin", today - n * HOUR, 1.0) for n in range(30 * 24)]
    database[QUOTES].insert_many(old)
    monkeypatch.setenv("RETENTION", "20")
    with in_a_worker() as made:
        yield made


def test_what_is_old_is_rolled_up_and_what_is_older_deleted(on: Services) -> None:
    assert rollup.roll_up() >= 2
    mark = Marks(on.database).of("bitcoin")
    assert mark.until == down(datetime.now(UTC) - 7 * DAY, DAY)
    assert mark.kept_from is not None
    assert down(datetime.now(UTC), DAY) - 27 * DAY < mark.kept_from
    assert rollup.roll_up() == 0


def test_one_process_does_it_at_a_time(on: Services, redis: str) -> None:
    with redis_client.Redis.from_url(redis) as other:
        lock = other.lock(rollup.LOCK, timeout=30)
        assert lock.acquire()
        assert rollup.roll_up() == 0
        lock.release()
    assert rollup.roll_up() > 0


def test_a_run_ends_in_time_and_the_next_one_goes_on(
    on: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollup, "RUN_SECONDS", 0.0)
    count = 0
    while rollup.roll_up():
        count += 1
    assert count >= 2
    assert Marks(on.database).of("bitcoin").kept_from is not None
