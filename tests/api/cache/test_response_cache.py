"""Answers kept while no update ends."""

import gc
import threading
import tracemalloc
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from api.cache.response_cache import (
    AGE_SECONDS,
    MAX_AGE_SECONDS,
    CachedResponse,
    Key,
    ResponseCache,
    _size,
)

NOW = 1000.0
EARLIER = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)
LATER = EARLIER + timedelta(minutes=15)


def key(coin: str) -> Key:
    return "/stats", f"coin={coin}", False, "localhost"


def kept(body: bytes = b"{}", etag: str = '"1"', max_age: int = 600) -> CachedResponse:
    headers = [("ETag", etag), ("Cache-Control", f"max-age={max_age}")]
    return CachedResponse(headers, body, etag, max_age, NOW)


@pytest.fixture
def cache() -> ResponseCache:
    made = ResponseCache()
    made.trust(NOW + 10**6)
    return made


def fill(cache: ResponseCache, *coins: str) -> None:
    for coin in coins:
        cache.store(cache.generation, key(coin), kept(coin.encode()))


def test_each_coin_has_its_own_answer(cache: ResponseCache) -> None:
    fill(cache, "bitcoin", "ethereum")
    for coin in ("bitcoin", "ethereum"):
        found = cache.get(key(coin), NOW)
        assert found is not None
        assert found.body == coin.encode()
    assert cache.get(key("solana"), NOW) is None


@pytest.mark.parametrize(
    "other",
    [
        ("/deviation", "coin=bitcoin", False, "localhost"),
        ("/stats", "coin=bitcoin", True, "localhost"),
        ("/stats", "coin=bitcoin", False, "example.org"),
    ],
)
def test_another_request_has_another_answer(cache: ResponseCache, other: Key) -> None:
    fill(cache, "bitcoin")
    assert cache.get(other, NOW) is None


@pytest.mark.parametrize(
    ("etag", "max_age", "seconds"),
    [('"1"', 600, MAX_AGE_SECONDS), ('"1"', 5, 5), ('W/"1"', 50, AGE_SECONDS)],
)
def test_an_answer_ages_out(cache: ResponseCache, etag: str, max_age: int, seconds: float) -> None:
    cache.store(cache.generation, key("bitcoin"), kept(etag=etag, max_age=max_age))
    assert cache.get(key("bitcoin"), NOW + seconds - 0.1)
    assert cache.get(key("bitcoin"), NOW + seconds) is None


def test_it_says_for_how_long_it_still_holds(cache: ResponseCache) -> None:
    fill(cache, "bitcoin")
    for later in (0.0, 0.5, 2.0, 2.9, MAX_AGE_SECONDS - 0.1):
        found = cache.get(key("bitcoin"), NOW + later)
        assert found is not None
        left = int(dict(found.headers)["Cache-Control"].removeprefix("max-age="))
        assert 599 - later <= left <= 601 - later


def test_what_was_looked_at_is_given_no_longer_than_it_is_trusted(cache: ResponseCache) -> None:
    fill(cache, "bitcoin")
    cache.trust(NOW + 0.5)
    assert cache.get(key("bitcoin"), NOW)
    assert cache.get(key("bitcoin"), NOW + 0.4)
    assert cache.get(key("bitcoin"), NOW + 0.5) is None
    cache.trust(NOW + 2)
    assert cache.get(key("bitcoin"), NOW + 0.6)


def test_nothing_is_given_while_nothing_is_known_of_news(cache: ResponseCache) -> None:
    fill(cache, "bitcoin")
    cache.trust(NOW + 1)
    assert cache.get(key("bitcoin"), NOW + 0.9)
    assert cache.get(key("bitcoin"), NOW + 1) is None
    assert not cache.is_trusted(NOW + 1)


def test_news_drops_all(cache: ResponseCache) -> None:
    fill(cache, "bitcoin", "ethereum")
    cache.clear()
    assert cache.get(key("bitcoin"), NOW) is None


def test_what_was_begun_before_the_news_is_not_kept(cache: ResponseCache) -> None:
    generation = cache.generation
    cache.clear()
    cache.store(generation, key("bitcoin"), kept())
    assert cache.get(key("bitcoin"), NOW) is None


def test_a_newer_quote_that_a_view_came_upon_drops_what_may_be_older(
    cache: ResponseCache,
) -> None:
    assert cache.note_newest({"bitcoin": EARLIER}, EARLIER)
    fill(cache, "bitcoin")
    assert cache.note_newest({"bitcoin": EARLIER}, EARLIER)
    assert not cache.note_newest({"bitcoin": EARLIER - timedelta(days=1)}, EARLIER)
    assert cache.get(key("bitcoin"), NOW)
    generation = cache.generation
    assert cache.note_newest({"bitcoin": LATER}, EARLIER)
    assert cache.get(key("bitcoin"), NOW) is None
    cache.store(generation, key("bitcoin"), kept())  # it may have been read before
    assert cache.get(key("bitcoin"), NOW) is None


def test_each_coin_is_seen_for_itself(cache: ResponseCache) -> None:
    assert cache.note_newest({"bitcoin": EARLIER, "ethereum": EARLIER}, EARLIER)
    fill(cache, "bitcoin")
    assert cache.note_newest({"ethereum": EARLIER, "solana": LATER}, EARLIER)
    assert cache.get(key("bitcoin"), NOW)
    # One of them newer, another older than was seen: what is there goes, and this is not kept.
    assert not cache.note_newest({"ethereum": LATER, "solana": EARLIER}, EARLIER)
    assert cache.get(key("bitcoin"), NOW) is None
    assert not cache.note_newest({"bitcoin": EARLIER, "solana": EARLIER}, EARLIER)


def test_a_newer_update_tells_of_all_coins(cache: ResponseCache) -> None:
    cache.note_newest({"bitcoin": EARLIER}, EARLIER)
    fill(cache, "bitcoin")
    cache.note_newest({"ethereum": EARLIER}, LATER)
    assert cache.get(key("bitcoin"), NOW) is None
    generation = cache.generation
    for recorded in (LATER, EARLIER):
        cache.note_newest({"solana": EARLIER}, recorded)
    assert cache.generation == generation


def test_the_news_begin_it_anew(cache: ResponseCache) -> None:
    cache.note_newest({"bitcoin": EARLIER}, EARLIER)
    cache.clear()
    generation = cache.generation
    for coin in ("bitcoin", "ethereum"):
        assert cache.note_newest({coin: LATER}, EARLIER)
    assert cache.generation == generation  # what was computed since is as new


def test_views_of_the_past_drop_each_coin_once(cache: ResponseCache) -> None:
    generation = cache.generation
    for _ in range(3):
        for coin in ("bitcoin", "ethereum"):
            cache.note_newest({coin: EARLIER}, EARLIER)  # as of yesterday
            cache.note_newest({coin: LATER}, EARLIER)
    assert cache.generation == generation + 2


def test_the_oldest_make_room() -> None:
    small = ResponseCache(max_bytes=3 * _size(key("a"), kept(b"a")))
    small.trust(NOW + 1)
    fill(small, "a", "b", "c", "a", "d")
    there = [coin for coin in "abcd" if small.get(key(coin), NOW)]
    assert there == ["a", "c", "d"]


@pytest.mark.row("hostile-http")
@pytest.mark.parametrize(
    ("query", "host", "body", "headers"),
    [
        *((900, 9, 60, 14), (9, 2000, 60, 14), (9, 9, 60, 14), (9, 9, 40_000, 14)),
        *((9, 9, 0, 100), (1, 1, 0, 2)),
    ],
)
def test_it_counts_what_it_really_holds(query: int, host: int, body: int, headers: int) -> None:
    def text(length: int) -> str:
        return f"{{:0{length}}}".format(next(numbers))

    numbers = count(10**8)
    cache = ResponseCache(max_bytes=10**9)
    sizes = []
    for number in (1_000, 3_000):  # what the first ones take beside is not theirs alone
        gc.collect()
        tracemalloc.start()
        for _ in range(number):
            named = [(f"Header-{n}", text(12)) for n in range(headers)]
            made = CachedResponse(named, text(body).encode(), text(34), 600, float(next(numbers)))
            cache.store(0, (text(9), text(query), True, text(host)), made)
            del named, made
        gc.collect()
        sizes.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
    held = sum(sizes)
    assert held <= cache._bytes <= 1.5 * held + 1_000_000
    assert len(cache._responses) == 4_000
    for one in list(cache._responses):
        cache._remove(one)
    assert cache._bytes == 0


@pytest.mark.row("hostile-http")
def test_no_number_of_different_queries_makes_it_hold_more() -> None:
    most = 2_000_000
    cache = ResponseCache(max_bytes=most)
    gc.collect()
    tracemalloc.start()
    for number in range(8_000):
        cache.store(0, ("/stats", f"x={number:01000}", False, "localhost"), kept(b"x" * 60))
    gc.collect()
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert cache._bytes <= most
    assert held <= 1.1 * most


def test_one_computes_and_others_wait(cache: ResponseCache) -> None:
    ours, is_ours = cache.begin(key("bitcoin"))
    assert is_ours
    waiting, is_ours = cache.begin(key("bitcoin"))
    assert not is_ours
    assert cache.begin(key("ethereum"))[1]
    threading.Thread(target=lambda: cache.end(key("bitcoin"), ours)).start()
    assert waiting.wait(5)
    assert cache.begin(key("bitcoin"))[1]


def test_nobody_waits_for_what_was_begun_before_the_news(cache: ResponseCache) -> None:
    old, _ = cache.begin(key("bitcoin"))
    waiting, _ = cache.begin(key("bitcoin"))
    cache.clear()
    assert waiting.is_set()
    new, is_ours = cache.begin(key("bitcoin"))
    assert is_ours
    # The old one ends after the new one began: who waits for the new one goes on waiting.
    cache.end(key("bitcoin"), old)
    assert not new.is_set()
    assert cache.begin(key("bitcoin")) == (new, False)
    cache.end(key("bitcoin"), new)
    assert new.is_set()
    assert cache.begin(key("bitcoin"))[1]
