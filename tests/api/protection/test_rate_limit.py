"""How often one address may ask for a change."""

import socket
import threading
import time
from typing import NoReturn

import pytest
from flask.testing import FlaskClient
from redis.exceptions import ConnectionError

from api.extensions import redis_pool
from api.protection.rate_limit import CHANGES_PER_MINUTE, RateLimiter
from bench.harness.services import free_port
from quota.limiter import RedisCounts


@pytest.mark.row("overload")
def test_one_too_many_is_told_how_long_to_wait(redis: str) -> None:
    here, there = (
        RateLimiter(redis, redis_pool(redis)) for _ in range(2)
    )  # as two processes have it
    for number in range(CHANGES_PER_MINUTE):
        assert (here, there)[number % 2].wait("192.0.2.1") is None
    wait = here.wait("192.0.2.1")
    assert wait is not None
    assert 1 <= wait <= 60
    assert here.wait("192.0.2.2") is None


@pytest.mark.row("overload")
def test_a_burst_is_counted_call_by_call(redis: str) -> None:
    assert let_through(RateLimiter(redis, redis_pool(redis))) == CHANGES_PER_MINUTE


def let_through(limits: RateLimiter) -> int:
    """How many of 200 calls at the same time are within the limit."""
    together, counted = threading.Barrier(200), []

    def call() -> None:
        together.wait(30)
        counted.append(limits.wait("192.0.2.1") is None)

    threads = [threading.Thread(target=call) for _ in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counted)


@pytest.mark.row("overload")
def test_without_redis_each_process_counts_by_itself() -> None:
    url = f"redis://127.0.0.1:{free_port()}"
    here, there = (RateLimiter(url, redis_pool(url)) for _ in range(2))
    assert [here.wait("192.0.2.1") for _ in range(CHANGES_PER_MINUTE)] == [None] * 60
    wait = here.wait("192.0.2.1")
    assert wait is not None
    assert 1 <= wait <= 60
    assert here.wait("192.0.2.2") is None
    assert there.wait("192.0.2.1") is None


@pytest.mark.row("overload")
def test_a_burst_without_redis_is_counted_call_by_call() -> None:
    url = f"redis://127.0.0.1:{free_port()}"
    assert let_through(RateLimiter(url, redis_pool(url))) == CHANGES_PER_MINUTE


@pytest.mark.row("overload")
def test_calls_from_before_redis_went_away_count_on(
    redis: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = RateLimiter(redis, redis_pool(redis))
    for _ in range(CHANGES_PER_MINUTE - 1):
        assert limits.wait("192.0.2.1") is None
    with monkeypatch.context() as away:
        away.setattr(RedisCounts, "incr", gone)
        assert limits.wait("192.0.2.1") is None
        assert limits.wait("192.0.2.1") is not None
    # Redis, which is back, has not counted the last two
    assert limits.wait("192.0.2.1") is None
    assert limits.wait("192.0.2.1") is not None


def gone(*_: object, **__: object) -> NoReturn:
    raise ConnectionError


@pytest.mark.row("redis-frozen")
def test_a_silent_redis_holds_nobody_for_long() -> None:
    with socket.create_server(("127.0.0.1", free_port())) as silent:
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}"
        before = time.monotonic()
        assert RateLimiter(url, redis_pool(url)).wait("192.0.2.1") is None
        assert time.monotonic() - before < 3


@pytest.mark.row("overload")
def test_the_answer_is_a_429_with_retry_after(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RateLimiter, "wait", lambda *_: 7)
    answer = client.post("/v1/updates")
    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "7"
    assert answer.json is not None
    assert answer.json["message"] == "More than 60 calls in a minute: wait 7 s"
