"""How often one address may ask for a change."""

import socket
import threading
import time

import pytest
from flask.testing import FlaskClient

from api.extensions import redis_pool
from api.rate_limit import CHANGES_PER_MINUTE, Limits
from bench.harness.services import free_port


@pytest.mark.row("overload")
def test_one_too_many_is_told_how_long_to_wait(redis: str) -> None:
    here, there = (Limits(redis, redis_pool(redis)) for _ in range(2))  # as two processes have it
    for number in range(CHANGES_PER_MINUTE):
        assert (here, there)[number % 2].wait("192.0.2.1") is None
    wait = here.wait("192.0.2.1")
    assert wait is not None
    assert 1 <= wait <= 60
    assert here.wait("192.0.2.2") is None


@pytest.mark.row("overload")
def test_a_burst_is_counted_call_by_call(redis: str) -> None:
    limits, together, counted = Limits(redis, redis_pool(redis)), threading.Barrier(200), []

    def call() -> None:
        together.wait(30)
        counted.append(limits.wait("192.0.2.1") is None)

    threads = [threading.Thread(target=call) for _ in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(counted) == CHANGES_PER_MINUTE


def test_without_redis_nothing_is_refused_and_nothing_hangs() -> None:
    url = f"redis://127.0.0.1:{free_port()}"
    assert Limits(url, redis_pool(url)).wait("192.0.2.1") is None


@pytest.mark.row("redis-frozen")
def test_a_silent_redis_holds_nobody_for_long() -> None:
    with socket.create_server(("127.0.0.1", free_port())) as silent:
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}"
        before = time.monotonic()
        assert Limits(url, redis_pool(url)).wait("192.0.2.1") is None
        assert time.monotonic() - before < 3


@pytest.mark.row("overload")
def test_the_answer_is_a_429_with_retry_after(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Limits, "wait", lambda *_: 7)
    answer = client.post("/v1/updates")
    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "7"
    assert answer.json is not None
    assert answer.json["message"] == "More than 60 calls in a minute: wait 7 s"
