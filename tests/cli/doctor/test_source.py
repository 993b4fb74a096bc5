"""What is asked of the source."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest
from flask import Flask, Response, jsonify, request
from pydantic import SecretStr

from bench.harness.services import SimulatorControl, free_port
from cli.doctor import source
from settings import Settings
from simulator.server import serving

LONG_AGO = "Sun, 22 Nov 2020 08:30:00 GMT"


class OfThePast(BaseHTTPRequestHandler):
    """A source whose clock stands still."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"{}")

    def date_time_string(self, timestamp: float | None = None) -> str:
        """Its time."""
        return LONG_AGO

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


def live(url: str, **known: Any) -> Settings:
    return Settings(coingecko_api_url=url, **known)


@contextmanager
def a_source(left: int) -> Iterator[str]:
    """One that takes the pro key "good", and tells what is left of its calls."""
    app = Flask("source")

    @app.before_request
    def refuse() -> tuple[Response, int] | None:
        if request.headers.get("x-cg-pro-api-key", "good") == "good":
            return None
        return jsonify(status={"error_code": 10002, "error_message": "API Key Missing"}), 401

    @app.get("/ping")
    def ping() -> Response:
        return jsonify(gecko_says="(V3) To the Moon!")

    @app.get("/key")
    def key() -> Response:
        return jsonify(plan="Analyst", current_remaining_monthly_calls=left)

    with serving(app) as url:
        yield url


def keyed(url: str, key: str) -> Settings:
    return live(url, coingecko_api_key=SecretStr(key), coingecko_plan="pro")


def test_a_source_that_answers(simulator: SimulatorControl) -> None:
    found = source.source(live(f"{simulator.url}/api/v3"))
    assert {one.state for one in found} == {"ok"}
    assert found[0].text.endswith("answers")


def test_a_clock_that_disagrees_with_the_source_s_is_a_fault() -> None:
    with HTTPServer(("127.0.0.1", 0), OfThePast) as server:
        Thread(target=server.handle_request, daemon=True).start()
        _, clock = source.source(live(f"http://127.0.0.1:{server.server_port}"))
    assert clock.state == "fault"
    assert "ahead of the clock of 127.0.0.1:" in clock.text


def test_a_key_is_tried() -> None:
    with a_source(left=9_999) as url:
        *_, key = source.source(keyed(url, "good"))
        assert key.text == "accepted, 9,999 calls left this month according to CoinGecko"
        [refused] = source.source(keyed(url, "CG-secret"))
    assert refused.check == "key"
    assert "rejects the call (401)" in refused.text
    assert "API Key Missing" in refused.text
    assert "COINGECKO_PLAN" in str(refused.cure)
    assert "CG-secret" not in str(refused)
    with a_source(left=0) as url:
        *_, key = source.source(keyed(url, "good"))
    assert (key.state, key.text) == ("fault", "has no calls left this month")


def test_a_demo_key_is_tried_by_a_small_question(simulator: SimulatorControl) -> None:
    url = f"{simulator.url}/api/v3"
    settings = live(url, coingecko_api_key=SecretStr("CG-demo"), coingecko_plan="demo")
    *_, key = source.source(settings)
    assert (key.state, key.text) == ("ok", "accepted, plan demo")


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"kind": "rate_limited", "retry_after": 119}, "limits the calls (429), and asks to wait"),
        ({"kind": "server_error", "status": 503}, "answered 503"),
        (
            {"kind": "body", "body": "<html>Sign in to this network</html>"},
            "did not answer with JSON",
        ),
    ],
)
def test_a_source_that_fails_says_how(
    simulator: SimulatorControl, fault: dict[str, Any], said: str
) -> None:
    simulator.fault(**fault)
    [found] = source.source(live(f"{simulator.url}/api/v3"))
    assert found.state == "fault"
    assert said in found.text
    assert found.cure


def test_a_source_that_is_not_there() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    [found] = source.source(live(url))
    assert "is unreachable (ConnectionError)" in found.text
    assert "./koinx up --demo" in str(found.cure)
    [found] = source.source(live(url, market="demo"))
    assert found.cure == "./koinx restart market"
    [found] = source.source(live("http://no-such-host.invalid"))
    assert found.text == "no-such-host.invalid was not found"
    [found] = source.second(live(url, coinpaprika_api_url=url))
    assert (found.check, found.state) == ("second source", "fault")


def test_the_calls_that_are_left(redis: str) -> None:
    assert "no limit" in source.calls(live("http://127.0.0.1:1"), redis)[0].text
    [found] = source.calls(Settings(), redis)
    assert (found.state, found.text) == ("ok", "5 of 5 left this minute")
    demo = Settings(coingecko_api_key=SecretStr("CG-x"), coingecko_plan="demo")
    [found] = source.calls(demo, redis)
    assert found.text == "30 of 30 left this minute, 10,000 of 10,000 this month"
    [found] = source.calls(demo, f"redis://127.0.0.1:{free_port()}/0")
    assert (found.state, found.text.split(" (")[0]) == ("idle", "unknown: Redis counts them")
