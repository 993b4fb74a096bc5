"""Wrong keys and passwords, counted."""

import socket
import time

import pytest

from access.login_attempts import GUESSES_PER_MINUTE, Guesses
from api.extensions import redis_pool
from bench.harness.services import free_port
from quota.limiter import RedisCounts


def guess_wrong(guesses: Guesses, address: str, times: int = GUESSES_PER_MINUTE) -> None:
    for number in range(times):
        assert guesses.wait(address) is None
        guesses.failed(address, f"wrong-{number}")


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
    guesses = Guesses()
    guess_wrong(guesses, guesser)
    wait = guesses.wait(same)
    assert wait is not None
    assert 1 <= wait <= 60
    assert guesses.wait(other) is None


@pytest.mark.row("guessing")
def test_the_same_one_again_is_no_further_guess() -> None:
    guesses = Guesses()
    for _ in range(5 * GUESSES_PER_MINUTE):
        guesses.failed("192.0.2.1", "of-last-year")
    assert guesses.wait("192.0.2.1") is None
    guess_wrong(guesses, "192.0.2.1", GUESSES_PER_MINUTE - 1)
    assert guesses.wait("192.0.2.1") is not None


@pytest.mark.row("guessing")
def test_what_is_counted_names_no_guess(redis: str) -> None:
    storage = RedisCounts(redis)
    Guesses(storage).failed("192.0.2.1", "hunter2")
    kept = [key + (storage.storage.get(key) or b"") for key in storage.storage.scan_iter()]
    assert kept
    assert not any(b"hunter2" in one for one in kept)


@pytest.mark.row("guessing")
def test_without_redis_each_process_counts_by_itself_and_nothing_hangs() -> None:
    with socket.create_server(("127.0.0.1", free_port())) as silent:
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}"
        guesses = Guesses(RedisCounts(url, connection_pool=redis_pool(url)))
        before = time.monotonic()
        guess_wrong(guesses, "192.0.2.1")
        assert guesses.wait("192.0.2.1") is not None
        assert time.monotonic() - before < 3
