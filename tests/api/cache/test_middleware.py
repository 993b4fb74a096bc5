"""Answers from the cache, in front of Flask."""

import gzip
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import Client, TestResponse
from werkzeug.wrappers import Response

from api.cache import http_headers, middleware
from api.cache.http_headers import AGE
from api.cache.middleware import CacheMiddleware
from api.cache.response_cache import Key, ResponseCache
from api.extensions import EXTENSION
from api.metrics.middleware import RequestMetrics
from bench.harness.services import keep, quote, wait_until
from market.model.quotes import SUCCESSORS
from market.storage.quote_history import QuoteHistory
from market.storage.quote_store import QuoteStore
from tests.harness.slot_arrival import the_slot_is_in

KEPT_PATHS = (
    "/stats?coin=bitcoin",
    "/deviation?coin=bitcoin",
    "/v1/coins",
    "/v1/coins?page_size=2&sort=-price",
    "/v1/coins/bitcoin",
    "/v1/coins/bitcoin/statistics?records=10",
    "/v1/correlations?coin=bitcoin&coin=ethereum",
)


class Counted:
    """A WSGI application that counts how often it is called."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.calls = 0
        self.hold: Callable[[], object] = lambda: None

    def held(self) -> tuple[threading.Event, threading.Event]:
        """Holds each answer back from now on; one event says that one is, the other lets it go."""
        begun, more = threading.Event(), threading.Event()

        def hold() -> None:
            begun.set()
            more.wait(30)

        self.hold = hold
        return begun, more

    def __call__(self, environ: Any, start_response: Any) -> Any:
        self.calls += 1
        answer = self._inner(environ, start_response)
        self.hold()
        return answer


@pytest.fixture
def stored(store: QuoteStore) -> datetime:
    then = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=1)
    for age in (3, 2, 1):
        at = then - timedelta(minutes=15 * age)
        some = (quote(coin, 1.0 + age, at) for coin in ("bitcoin", "ethereum", "solana"))
        keep(store, *some, recorded_at=at)
    return then


@pytest.fixture
def cache(app: Flask, stored: datetime, monkeypatch: pytest.MonkeyPatch) -> ResponseCache:
    the_slot_is_in(app)
    # No slot and no minute ends meanwhile.
    monkeypatch.setattr(http_headers, "max_age", lambda *_, **__: 600)
    monkeypatch.setattr(http_headers, "AGE_SECONDS", 10**9)
    made: ResponseCache = app.extensions[EXTENSION].response_cache
    made.trust(time.monotonic() + 10**6)
    return made


def behind(app: Flask) -> Any:
    """Flask itself, without what stands in front of it."""
    return partial(Flask.wsgi_app, app)


@pytest.fixture
def flask(app: Flask) -> Counted:
    return Counted(behind(app))


@pytest.fixture
def requests(tmp_path: Path) -> RequestMetrics:
    return RequestMetrics(tmp_path / "metrics")


@pytest.fixture
def fast(flask: Counted, cache: ResponseCache, requests: RequestMetrics) -> Client:
    return Client(CacheMiddleware(flask, cache, requests), Response)


@pytest.fixture
def plain(app: Flask) -> Client:
    return Client(behind(app), Response)


def comparable(answer: TestResponse) -> tuple[object, ...]:
    headers = {name: value for name, value in answer.headers if name not in ("Cache-Control",)}
    return answer.status_code, headers, answer.data


def price_of_bitcoin(client: Client) -> object:
    answer = client.get("/stats?coin=bitcoin").json
    assert answer is not None
    return answer["price"]


@pytest.mark.parametrize("path", ["/stats?coin=bitcoin", "/deviation?coin=bitcoin"])
def test_a_kept_answer_is_flask_s_own(
    fast: Client, plain: Client, flask: Counted, path: str
) -> None:
    for headers in ({}, {"Accept-Encoding": "gzip"}):
        expected = plain.get(path, headers=headers)
        for _ in range(3):
            assert comparable(fast.get(path, headers=headers)) == comparable(expected)
    assert flask.calls == 2


@pytest.mark.parametrize("path", KEPT_PATHS)
def test_flask_is_asked_once(fast: Client, flask: Counted, path: str) -> None:
    first = fast.get(path)
    assert first.status_code == 200
    for _ in range(3):
        assert comparable(fast.get(path)) == comparable(first)
    assert flask.calls == 1


def test_like_wishes_for_a_coding_have_one_answer(fast: Client, flask: Counted) -> None:
    for number in range(50):
        for accepted in (f"gzip, x-{number}", f"deflate, gzip;q=0.{number}9, br", "*"):
            packed = fast.get("/v1/coins", headers={"Accept-Encoding": accepted})
            assert packed.status_code == 200
        for accepted in (f"x-{number}", "gzip;q=0", f"identity, gzip;q=0.{number}" + "x" * 999):
            plain = fast.get("/v1/coins", headers={"Accept-Encoding": accepted})
            assert plain.status_code == 200
    assert flask.calls == 2


def test_an_answer_to_many_coins_is_not_kept(fast: Client, flask: Counted) -> None:
    path = f"/v1/correlations?coin=bitcoin&coin=ethereum&x={'y' * 1000}"
    for _ in range(2):
        assert fast.get(path).status_code == 200
    assert flask.calls == 2


@pytest.mark.parametrize(
    "path",
    [
        "/stats?coin=bitcoin&as_of=2100-01-01T00:00:00Z",
        "/deviation?coin=bitcoin&include=repaired",
        "/v1/coins/bitcoin/statistics?records=10&include=repaired",
        "/v1/coins/bitcoin/quotes",
        "/v1/coins/bitcoin/candles",
        "/v1/updates",
        "/health",
        "/openapi.json",
        "/stats?coin=unknown",
        "/stats",
        "/v1/coins/unknown",
        "/v1/nothing",
    ],
)
def test_what_may_change_otherwise_is_never_kept(fast: Client, flask: Counted, path: str) -> None:
    for _ in range(2):
        fast.get(path)
    assert flask.calls == 2


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "POST", "DELETE"])
def test_other_methods_go_to_flask(fast: Client, flask: Counted, method: str) -> None:
    fast.get("/stats?coin=bitcoin")
    for number in (2, 3):
        fast.open("/stats?coin=bitcoin", method=method)
        assert flask.calls == number


def test_a_request_with_a_body_goes_to_flask(fast: Client, flask: Counted) -> None:
    for number in (1, 2):
        fast.get("/stats?coin=bitcoin", data=b"x" * 70_000)
        assert flask.calls == number


def test_the_coins_are_never_confused(fast: Client, plain: Client) -> None:
    paths = [
        f"/{name}?coin={coin}"
        for name in ("stats", "deviation")
        for coin in ("bitcoin", "ethereum", "solana", "BITCOIN", "bitcoin&x=1", "nothing")
    ]
    for _ in range(2):
        for path in paths:
            assert fast.get(path).data == plain.get(path).data


@pytest.mark.parametrize("path", ["/stats?coin=bitcoin", "/v1/coins/bitcoin"])
@pytest.mark.parametrize("is_kept", [False, True])
def test_a_client_that_has_it_gets_a_304(
    fast: Client, plain: Client, flask: Counted, path: str, is_kept: bool
) -> None:
    etag = plain.get(path).headers["ETag"]
    flask.calls = 0
    if is_kept:
        fast.get(path)
    for known in (etag, f'"other", {etag}', "*"):
        answer = fast.get(path, headers={"If-None-Match": known})
        assert (answer.status_code, answer.data) == (304, b""), known
        expected = plain.get(path, headers={"If-None-Match": known})
        names = {name.lower() for name, _ in answer.headers}
        assert names == {name.lower() for name, _ in expected.headers}
    assert fast.get(path, headers={"If-None-Match": '"other"'}).status_code == 200
    assert flask.calls == 1


def test_the_answer_that_a_304_was_made_of_is_kept_whole(fast: Client, flask: Counted) -> None:
    path, zipped = "/v1/coins", {"Accept-Encoding": "gzip"}
    etag = fast.get(path, headers=zipped).headers["ETag"]
    assert fast.get(path, headers={**zipped, "If-None-Match": etag}).status_code == 304
    whole = fast.get(path, headers=zipped)
    assert whole.headers["Content-Encoding"] == "gzip"
    plain = fast.get(path, headers={"Accept-Encoding": "identity"}).data
    assert AGE.sub(b"", gzip.decompress(whole.data)) == AGE.sub(b"", plain)


def test_each_answer_is_counted_as_it_was_sent(app: Flask, cache: ResponseCache) -> None:
    client, path = app.test_client(), "/stats?coin=bitcoin"
    etag = client.get(path).headers["ETag"]
    for known in ("", etag, etag):
        client.get(path, headers={"If-None-Match": known})
    counted, _ = app.extensions[EXTENSION].request_metrics.all()
    found = {one: times.count for one, times in counted.items() if one.rule == "/stats"}
    assert found == {("/stats", "GET", "2xx"): 2, ("/stats", "GET", "3xx"): 2}


def test_news_shows_at_once(
    fast: Client, cache: ResponseCache, store: QuoteStore, stored: datetime
) -> None:
    assert price_of_bitcoin(fast) == 2.0
    keep(store, quote("bitcoin", 9.0, stored), recorded_at=stored)
    cache.clear()
    assert price_of_bitcoin(fast) == 9.0


@pytest.mark.row("news-lost")
@pytest.mark.parametrize(
    "sees_it_first",
    [
        *("/stats?coin=ethereum", "/deviation?coin=ethereum", "/v1/coins", "/v1/coins/ethereum"),
        *("/v1/coins/ethereum/quotes", "/v1/coins/ethereum/candles"),
        *("/v1/coins/ethereum/statistics", "/v1/correlations?coin=solana&coin=ethereum"),
    ],
)
def test_no_older_quote_comes_after_a_newer_one(
    fast: Client, store: QuoteStore, stored: datetime, sees_it_first: str
) -> None:
    assert price_of_bitcoin(fast) == 2.0
    # Nobody has told of it yet: the update is still being closed.
    quotes = (quote("bitcoin", 9.0, stored), quote("ethereum", 9.0, stored))
    keep(store, *quotes, recorded_at=stored)
    assert price_of_bitcoin(fast) == 2.0
    assert fast.get(sees_it_first).status_code == 200
    assert price_of_bitcoin(fast) == 9.0


@pytest.mark.row("news-lost")
@pytest.mark.parametrize(
    "sees_it_first",
    [
        *("/stats?coin=bitcoin&as_of=2100-01-01T00:00:00Z", "/deviation?coin=bitcoin"),
        *("/v1/coins", "/v1/coins/bitcoin/quotes", "/v1/coins/bitcoin/candles"),
        *("/v1/coins/bitcoin/statistics", "/v1/correlations?coin=solana&coin=bitcoin"),
    ],
)
@pytest.mark.parametrize("clock", [timedelta(0), timedelta(seconds=-2)], ids=["one", "skewed"])
def test_nor_when_an_update_stores_its_quotes_bit_by_bit(
    fast: Client, store: QuoteStore, stored: datetime, sees_it_first: str, clock: timedelta
) -> None:
    # An update that has stored ethereum only: bitcoin's quote will have the same `recorded_at`,
    # or an earlier one if another worker's clock is behind.
    keep(store, quote("ethereum", 9.0, stored), recorded_at=stored)
    assert fast.get("/v1/coins/ethereum/quotes").status_code == 200
    assert price_of_bitcoin(fast) == 2.0
    keep(store, quote("bitcoin", 9.0, stored), recorded_at=stored + clock)
    assert fast.get(sees_it_first).status_code == 200
    assert price_of_bitcoin(fast) == 9.0


@pytest.mark.row("news-lost")
def test_nor_when_the_older_one_takes_longer(
    fast: Client, app: Flask, store: QuoteStore, stored: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, more = threading.Event(), threading.Event()
    read = QuoteHistory.records

    def held(*arguments: Any, **named: Any) -> Any:
        found = read(*arguments, **named)
        if not begun.is_set():
            begun.set()
            assert more.wait(30)
        return found

    monkeypatch.setattr(QuoteHistory, "records", held)
    with ThreadPoolExecutor(1) as threads:
        older = threads.submit(price_of_bitcoin, fast)
        assert begun.wait(30)
        keep(store, quote("bitcoin", 9.0, stored), recorded_at=stored)
        assert fast.get("/v1/coins/bitcoin/quotes").json[0]["price"] == 9.0  # type: ignore[index]
        more.set()
        assert older.result(30) == 2.0  # it was asked for before
    assert price_of_bitcoin(fast) == 9.0


@pytest.mark.row("news-lost")
def test_nor_where_there_was_none(fast: Client, store: QuoteStore, stored: datetime) -> None:
    path = "/v1/correlations?coin=bitcoin&coin=ethereum&window=5m"
    assert fast.get(path).json[0]["as_of"] is None  # type: ignore[index]
    keep(store, *(quote(coin, 9.0, stored) for coin in ("bitcoin", "ethereum")))
    assert fast.get("/v1/coins/bitcoin/quotes").json[0]["price"] == 9.0  # type: ignore[index]
    assert fast.get(path).json[0]["as_of"] is not None  # type: ignore[index]


@pytest.mark.row("news-lost")
def test_nor_when_a_coin_s_successor_takes_over(
    fast: Client, store: QuoteStore, stored: datetime
) -> None:
    [(old, new)] = SUCCESSORS.items()
    keep(store, quote(old, 1.0, stored - timedelta(minutes=5)), recorded_at=stored)
    path = f"/stats?coin={old}"
    assert fast.get(path).json == {"price": 1.0, "marketCap": None, "24hChange": None}
    keep(store, quote(new, 9.0, stored), recorded_at=stored)
    assert fast.get(f"/v1/coins/{old}/quotes").json[0]["price"] == 9.0  # type: ignore[index]
    assert fast.get(path).json == {"price": 9.0, "marketCap": None, "24hChange": None}


@pytest.mark.row("news-lost")
def test_nor_when_the_news_come_while_the_older_one_is_awaited(
    fast: Client,
    flask: Counted,
    cache: ResponseCache,
    store: QuoteStore,
    stored: datetime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The first computing ends after the news: it must not end the second one's, for which a third
    # request waits.
    monkeypatch.setattr(middleware, "WAIT_SECONDS", 30)
    begin, begun = cache.begin, list[Any]()

    def noted(key: Key) -> Any:
        begun.append(begin(key))
        return begun[-1]

    monkeypatch.setattr(cache, "begin", noted)
    first_begun, first_more = flask.held()
    with ThreadPoolExecutor(3) as threads:
        first = threads.submit(price_of_bitcoin, fast)
        assert first_begun.wait(30)
        keep(store, quote("bitcoin", 9.0, stored), recorded_at=stored)
        cache.clear()
        second_begun, second_more = flask.held()
        second = threads.submit(price_of_bitcoin, fast)
        assert second_begun.wait(30)
        first_more.set()
        assert first.result(30) == 2.0
        third = threads.submit(price_of_bitcoin, fast)
        wait_until(lambda: len(begun) == 3, "the third request")
        second_more.set()
        assert second.result(30) == third.result(30) == 9.0
    assert flask.calls == 2
    assert cache._computing == {}


def test_mongodb_is_asked_once_for_all_who_ask_at_once(
    fast: Client, flask: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(middleware, "WAIT_SECONDS", 30)
    begun, more = flask.held()
    with ThreadPoolExecutor(8) as threads:
        first = threads.submit(fast.get, "/stats?coin=bitcoin")
        assert begun.wait(30)
        others = [threads.submit(fast.get, "/stats?coin=bitcoin") for _ in range(7)]
        more.set()
        assert {one.result(30).data for one in (first, *others)} == {first.result().data}
    assert flask.calls == 1


def test_one_that_takes_long_is_not_waited_for(
    fast: Client, flask: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(middleware, "WAIT_SECONDS", 0.01)
    begun, more = flask.held()
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(fast.get, "/stats?coin=bitcoin")
        assert begun.wait(30)
        flask.hold = lambda: None
        assert fast.get("/stats?coin=bitcoin").status_code == 200
        more.set()
        assert first.result(30).status_code == 200
    assert flask.calls == 2


def test_nothing_is_kept_while_nothing_is_known_of_news(
    fast: Client, flask: Counted, cache: ResponseCache
) -> None:
    fast.get("/stats?coin=bitcoin")
    cache.trust(time.monotonic() - 1)
    for number in (2, 3):
        assert fast.get("/stats?coin=bitcoin").status_code == 200
        assert flask.calls == number


class Streamed:
    """A WSGI application with a stream whose chunks come one by one."""

    def __init__(self) -> None:
        self.sent = 0

    def __call__(self, _: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Type", "text/event-stream")])
        for _ in range(3):
            self.sent += 1
            yield b"x"


def test_a_stream_goes_through_as_it_comes(cache: ResponseCache, requests: RequestMetrics) -> None:
    inner = Streamed()
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/v1/events", "QUERY_STRING": ""}
    answer = CacheMiddleware(inner, cache, requests)(environ, lambda *_: lambda _: None)
    assert next(iter(answer)) == b"x"
    assert inner.sent == 1
