"""The client against real HTTP: a small server here answers as the API does."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from werkzeug.wrappers import Request, Response

from api_client.client import READ_SECONDS, ApiError, Client
from market.storage.database import TIMEOUT_MS
from tests.harness.http_replies import Answer, Serve, serve

__all__ = ["serve"]

COIN: dict[str, Any] = {
    "id": "bitcoin",
    "symbol": "btc",
    "name": "Bitcoin",
    "rank": 1,
    "state": "active",
    "successor": None,
    "price": 64123.45,
    "market_cap": 1_234_567_890_123,
    "change_24h": -1.25,
    "volume_24h": None,
    "deviation": 12.5,
    "deviation_count": 37,
    "as_of": "2025-11-22T21:30:05Z",
    "recorded_at": "2025-11-22T21:30:07.120000+00:00",
    "age_seconds": 12.4,
    "freshness": "fresh",
    "source": "coingecko",
    "sparkline": {"start": "2025-11-15T22:00:00Z", "step_seconds": 14400, "prices": [1.5, None]},
}
UPDATE: dict[str, Any] = {
    "id": "u1",
    "trigger": "schedule",
    "state": "done",
    "stage": "ended",
    "progress": 1.0,
    "hops": {},
    "slot": None,
    "received_at": "2025-11-22T21:30:06Z",
    "finished_at": "2025-11-22T21:30:07Z",
    "counts": {"asked": 3, "answered": 3, "stored": 2, "unchanged": 1, "left_out": 0},
    "error": None,
}


def answered(body: Any, status: int = 200, **headers: str) -> Answer:
    text = body if isinstance(body, str) else json.dumps(body)
    return lambda _: Response(text, status, headers, mimetype="application/json")


def test_a_coin_is_read_as_it_is(serve: Serve) -> None:
    [coin] = Client(serve(answered([COIN]))).coins()
    assert (coin.id, coin.price, coin.volume_24h) == ("bitcoin", 64123.45, None)
    assert coin.as_of == datetime(2025, 11, 22, 21, 30, 5, tzinfo=UTC)
    assert coin.deviation_count == 37


def test_every_page_is_read(serve: Serve) -> None:
    asked = []

    def answer(request: Request) -> Response:
        asked.append(request.full_path)
        number = request.args["page"]
        pages = {"X-Pagination": json.dumps({"total": 3, "total_pages": 3, "page": int(number)})}
        return Response(json.dumps([{**COIN, "id": f"coin-{number}"}]), 200, pages)

    coins = Client(serve(answer)).coins()
    assert [coin.id for coin in coins] == ["coin-1", "coin-2", "coin-3"]
    assert asked[0] == "/v1/coins?page=1&page_size=250&sort=rank"


def test_the_last_update(serve: Serve) -> None:
    update = Client(serve(answered([UPDATE]))).last_update()
    assert update is not None
    assert update.counts == UPDATE["counts"]
    assert update.finished_at == datetime(2025, 11, 22, 21, 30, 7, tzinfo=UTC)


def test_before_the_first_update(serve: Serve) -> None:
    assert Client(serve(answered([]))).last_update() is None


def test_a_refresh_is_a_post(serve: Serve) -> None:
    asked = []

    def answer(request: Request) -> Response:
        asked.append((request.method, request.path))
        return Response('{"message": "Cryptocurrency stats updated successfully"}', 200)

    Client(serve(answer)).refresh()
    assert asked == [("POST", "/trigger-update")]


@pytest.mark.parametrize(
    ("status", "body", "message", "next_step"),
    [
        (
            503,
            {"code": 503, "status": "Service Unavailable", "message": "No MongoDB", "errors": {}},
            "The API is running but cannot reach MongoDB: No MongoDB.",
            "./koinx start mongodb",
        ),
        (500, {"message": "Broken"}, "The API answered 500: Broken.", "./koinx logs api"),
        (404, "<html>", "The API answered 404: NOT FOUND.", "./koinx logs api"),
        (302, "", "The API answered 302: FOUND.", "./koinx logs api"),
    ],
)
def test_a_refused_read(serve: Serve, status: int, body: Any, message: str, next_step: str) -> None:
    with pytest.raises(ApiError) as caught:
        Client(serve(answered(body, status))).coins()
    assert caught.value.message == message
    assert next_step in caught.value.next_step


@pytest.mark.parametrize(
    ("status", "message", "next_step"),
    [
        (502, "The price source failed: Why.", "./koinx logs worker"),
        (503, "The update could not be started: Why.", "./koinx status"),
        (504, "The update did not finish in time: Why.", "last update"),
        (429, "Too many refreshes: Why.", "Wait"),
        (418, "The API answered the update request with 418: Why.", "./koinx logs api"),
    ],
)
def test_a_refused_refresh(serve: Serve, status: int, message: str, next_step: str) -> None:
    with pytest.raises(ApiError) as caught:
        Client(serve(answered({"error": "Why"}, status))).refresh()
    assert caught.value.message == message
    assert next_step in caught.value.next_step


@pytest.mark.parametrize(
    "body",
    [
        "<html>",
        {"coins": []},
        ["bitcoin"],
        [{"id": "bitcoin"}],
        [{**COIN, "price": "64123.45"}],
        [{**COIN, "price": True}],
        [{**COIN, "price": float("nan")}],
        [{**COIN, "as_of": "2025-11-22T21:30:05"}],
    ],
)
def test_an_answer_that_is_not_the_apis(serve: Serve, body: Any) -> None:
    with pytest.raises(ApiError, match="does not answer like KoinX's API") as caught:
        Client(serve(answered(body))).coins()
    assert "API_PORT" in caught.value.next_step


def test_the_api_is_down() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ApiError) as caught:
            Client(url).coins()
    assert caught.value.message == f"The API at {url} does not answer."
    assert "./koinx start api" in caught.value.next_step


def test_a_read_ends_in_time_even_if_bytes_keep_coming(serve: Serve) -> None:
    ended = threading.Event()

    def drip(_: Request) -> Response:
        def body() -> Iterator[bytes]:
            yield b"["
            while not ended.wait(0.05):
                yield b" "

        return Response(body(), 200)

    url = serve(drip)
    began = time.monotonic()
    try:
        with pytest.raises(ApiError, match=r"did not answer within 0\.3 s"):
            Client(url, timeout=0.3).coins()
        assert time.monotonic() - began < 5
    finally:
        ended.set()


def test_a_proxy_of_the_environment_is_not_asked(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    assert len(Client(serve(answered([COIN]))).coins()) == 1


def test_a_read_waits_until_the_api_says_that_its_database_is_away() -> None:
    assert TIMEOUT_MS / 1000 + 1 <= READ_SECONDS
