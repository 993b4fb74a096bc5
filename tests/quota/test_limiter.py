"""The calls to the source, counted in a real Redis; only the clock is set."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from limits.storage import RedisStorage

from bench.harness.services import SimulatorControl, free_port
from market.ingest.chunks import PAGES_PER_RUN
from market.sources.coingecko import CoinGecko
from market.sources.http import Deadline, SourceError
from quota.limiter import CallLimiter, CallRefused
from settings import Budget, Settings, calls_per_update, rate
from tasks.call_budget import for_updates, max_pages

START = datetime(2026, 12, 1, tzinfo=UTC)


class Clock:
    """A time that passes only when someone sleeps or it is told to."""

    def __init__(self) -> None:
        self.now = START

    def time(self) -> float:
        return self.now.timestamp()

    def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    # In place of the modules' `time`: to patch `time` itself would make every thread's loop spin.
    monkeypatch.setattr("limits.storage.redis.time", made)
    monkeypatch.setattr("quota.limiter.time", made)
    monkeypatch.setattr("quota.limiter._now", lambda: made.now)
    return made


@pytest.fixture
def storage(redis: str) -> RedisStorage:
    return RedisStorage(redis)


def refused(take: Callable[[Callable[[], float]], None]) -> CallRefused:
    with pytest.raises(CallRefused) as raised:
        take(lambda: 0.5)
    return raised.value


def test_no_minute_has_more_calls_than_allowed(clock: Clock, storage: RedisStorage) -> None:
    # Given two processes that share one Redis
    both = [CallLimiter(storage, Budget(30, None)) for _ in range(2)]
    # When they call as fast as they are let
    made = []
    for number in range(120):
        both[number % 2].acquire(lambda: 90)
        made.append(clock.now)
        clock.sleep(0.2)
    # Then
    assert min(later - first for first, later in zip(made, made[30:], strict=False)) >= timedelta(
        seconds=59
    )
    assert made[-1] - made[0] < timedelta(minutes=4)
    assert all(first <= later for first, later in pairwise(made))


@pytest.mark.usefixtures("clock")
def test_a_turn_that_comes_too_late_is_refused_with_the_wait(storage: RedisStorage) -> None:
    calls = CallLimiter(storage, Budget(2, None))
    for _ in range(2):
        calls.acquire(lambda: 1)
    error = refused(calls.acquire)
    assert str(error) == "2 calls were made within a minute: COINGECKO_CALLS_PER_MINUTE"
    assert error.retry_after == pytest.approx(60, abs=1)
    assert calls.left() == (0, None)


@pytest.mark.usefixtures("clock")
def test_an_update_does_not_wait_for_a_turn_that_is_far_off(
    storage: RedisStorage,
) -> None:
    # Given 5 calls a minute
    limited = Settings(coins="top:2000", coingecko_calls_per_minute=5)
    assert max_pages(limited) == 5
    take = for_updates(storage, limited)
    for _ in range(5):
        take(Deadline(90))
    # When
    with pytest.raises(SourceError) as refused:
        take(Deadline(90))
    # Then it is to come back, and is not tried again at once
    assert refused.value.retry_after == pytest.approx(60, abs=1)
    assert refused.value.permanent
    # and neither does one that needs no more calls than that: it would hold a worker
    small = Settings(coins="top:1000", coingecko_calls_per_minute=5)
    with pytest.raises(SourceError):
        for_updates(storage, small)(Deadline(90))


def test_a_run_asks_for_40_pages_or_for_as_many_as_a_minute_allows() -> None:
    assert max_pages(Settings(market="demo")) == PAGES_PER_RUN == 40
    assert max_pages(Settings(coingecko_calls_per_minute=500)) == 40
    assert max_pages(Settings(coingecko_calls_per_minute=7)) == 7


@pytest.mark.usefixtures("clock")
def test_a_repair_leaves_the_updates_theirs(storage: RedisStorage) -> None:
    budget = Budget(5, 20)
    live = CallLimiter(storage, budget)
    repair = CallLimiter(storage, budget, reserved_per_minute=2, reserved_per_month=lambda _: 10)
    for _ in range(3):
        repair.acquire(lambda: 1)
    assert refused(repair.acquire).retry_after is not None
    for _ in range(2):
        live.acquire(lambda: 1)
    assert live.left() == (0, 15)


def test_a_month_that_is_used_up_ends_with_it(clock: Clock, storage: RedisStorage) -> None:
    # Given a month of 31 days whose calls were made on its first
    calls = CallLimiter(storage, Budget(100, 3))
    for _ in range(3):
        calls.acquire(lambda: 1)
    # Then nothing goes before its end
    clock.now = START + timedelta(days=30, hours=23)
    error = refused(calls.acquire)
    assert str(error) == ("none of the 3 calls of this month is left: COINGECKO_CALLS_PER_MONTH")
    assert error.permanent
    # and after it all do
    clock.now = START + timedelta(days=31)
    calls.acquire(lambda: 1)
    assert calls.left() == (99, 2)


def test_a_month_of_updates_stays_within_the_demo_plan(clock: Clock, storage: RedisStorage) -> None:
    # Given 250 coins every 15 minutes, of which each tenth call is answered 429 and made again
    made = Settings(
        coins="bitcoin,ethereum,top:250",
        coingecko_plan="demo",
        coingecko_api_key="CG-x",  # type: ignore[arg-type]
    )
    assert made.budget == Budget(30, 10_000)
    calls = CallLimiter(storage, made.budget)
    each, count = calls_per_update(made.selection), 0
    # When
    for slot in range(round(rate(made.cron_schedule).per_month)):
        clock.now = START + slot * timedelta(minutes=15)
        for _ in range(each):
            calls.acquire(lambda: 45)
            count += 1
            if count % 10 == 0:
                calls.acquire(lambda: 45)
                count += 1
    # Then
    assert 2976 * each * 1.1 < count < 2976 * each * 1.12
    assert calls.left()[1] == 10_000 - count


def test_without_redis_updates_go_on_and_repairs_do_not() -> None:
    storage = RedisStorage(f"redis://127.0.0.1:{free_port()}", socket_connect_timeout=1)
    CallLimiter(storage, Budget(1, 1)).acquire(lambda: 1)
    error = refused(CallLimiter(storage, Budget(5, None), reserved_per_minute=1).acquire)
    assert str(error) == "Redis, which counts the calls, does not answer"


@pytest.mark.usefixtures("clock")
def test_failed_calls_count_as_well(storage: RedisStorage, simulator: SimulatorControl) -> None:
    # Given a source that fails twice, then answers
    simulator.fault("server_error", status=500, times=2)
    calls = CallLimiter(storage, Budget(30, None))
    source = CoinGecko(f"{simulator.url}/api/v3", take=lambda left: calls.acquire(left.remaining))
    # When
    before = time.monotonic()
    rows = source.markets("usd", per_page=5, deadline=Deadline(20))
    source.close()
    # Then
    assert len(rows) == 5
    assert time.monotonic() - before < 20
    assert calls.left() == (27, None)
