"""Wrong keys and passwords, counted."""

import socket
import time

import pytest

from access.login_attempts import ATTEMPTS_PER_MINUTE, LoginAttempts
from api.extensions import redis_pool
from bench.harness.services import free_port
from quota.limiter import RedisCounts


def guess_wrong(guesses: LoginAttempts, address: str, times: int = ATTEMPTS_PER_MINUTE) -> None:
    for number in range(times):
        assert guesses.retry_after(address) is None
        guesses.record_failure(address, f"wrong-{number}")


@pytest.mark.parametrize(
    ("guesser", "same", "other"),
    [
        ("192.0.2.1", "192.0.2.1", "192.0.2.2"),
        ("192.0.2.1", "::ffff:192.0.2.1", "::ffff:192.0.2.2"),
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", "2001:db8:0:2::1"),
        ("fe80::1%eth0", "fe80::2%eth0", "fe80:0:0:1::1"),
        ("unreadable", "unreadable", ""),
    ],
)
@pytest.mark.row("guessing")
def test_addresses_are_counted_by_themselves_and_ipv6_by_its_network(
    guesser: str, same: str, other: str
) -> None:
    guesses = LoginAttempts()
    guess_wrong(guesses, guesser)
    wait = guesses.retry_after(same)
    assert wait is not None
    assert 1 <= wait <= 60
    assert guesses.retry_after(other) is None


@pytest.mark.row("guessing")
def test_the_same_one_again_is_no_further_guess() -> None:
    guesses = LoginAttempts()
    for _ in range(5 * ATTEMPTS_PER_MINUTE):
        guesses.record_failure("192.0.2.1", "of-last-year")
    assert guesses.retry_after("192.0.2.1") is None
    guess_wrong(guesses, "192.0.2.1", ATTEMPTS_PER_MINUTE - 1)
    assert guesses.retry_after("192.0.2.1") is not None


@pytest.mark.row("guessing")
def test_what_is_counted_names_no_guess(redis: str) -> None:
    storage = RedisCounts(redis)
    LoginAttempts(storage).record_failure("192.0.2.1", "hunter2")
    kept = [key + (storage.storage.get(key) or b"") for key in storage.storage.scan_iter()]
    assert kept
    assert not any(b"hunter2" in one for one in kept)


@pytest.mark.row("guessing")
def test_without_redis_each_process_counts_by_itself_and_nothing_hangs() -> None:
    with socket.create_server(("127.0.0.1", free_port())) as silent:
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}"
        guesses = LoginAttempts(RedisCounts(url, connection_pool=redis_pool(url)))
        before = time.monotonic()
        guess_wrong(guesses, "192.0.2.1")
        assert guesses.retry_after("192.0.2.1") is not None
        assert time.monotonic() - before < 3
