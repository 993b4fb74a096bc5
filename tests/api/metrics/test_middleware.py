"""What is counted of the answers."""

from pathlib import Path
from typing import Any

import pytest
from flask import Flask, Response, abort

from api.metrics.middleware import Answered, RequestMetrics, counted, measure_requests, openapi_path


@pytest.fixture
def requests(tmp_path: Path) -> RequestMetrics:
    return RequestMetrics(tmp_path)


@pytest.fixture
def app(requests: RequestMetrics) -> Flask:
    made = Flask("metering")

    @made.get("/v1/coins/<string(maxlength=128):coin>")
    def coin(coin: str) -> str:
        return coin

    @made.get("/fault")
    def fault() -> str:
        raise RuntimeError("a fault")

    @made.get("/stream")
    def stream() -> Response:
        return Response(iter([b"one", b"two"]))

    measure_requests(made, requests)
    return made


def counts(requests: RequestMetrics) -> dict[Answered, int]:
    return {what: times.count for what, times in requests.all()[0].items()}


@pytest.mark.parametrize(
    ("method", "path", "answered"),
    [
        ("GET", "/v1/coins/bitcoin", ("/v1/coins/{coin}", "GET", "2xx")),
        ("HEAD", "/v1/coins/bitcoin", ("/v1/coins/{coin}", "HEAD", "2xx")),
        ("GET", "/stream", ("/stream", "GET", "2xx")),
        ("GET", "/fault", ("/fault", "GET", "5xx")),
        ("GET", "/nothing", ("unknown", "GET", "4xx")),
        ("DELETE", "/fault", ("unknown", "DELETE", "4xx")),
        ("BREW", "/fault", ("unknown", "other", "4xx")),
    ],
)
def test_an_answer_is_counted_by_rule_method_and_class(
    app: Flask, requests: RequestMetrics, method: str, path: str, answered: tuple[str, str, str]
) -> None:
    for _ in range(2):
        app.test_client().open(path, method=method)
    assert counts(requests) == {Answered(*answered): 2}


def test_what_a_hook_refuses_is_counted_under_its_rule(
    app: Flask, requests: RequestMetrics
) -> None:
    app.before_request_funcs[None] = [lambda: abort(503)]
    app.test_client().get("/fault")
    assert counts(requests) == {Answered("/fault", "GET", "5xx"): 1}


def test_it_is_counted_before_it_goes_out(requests: RequestMetrics) -> None:
    def answer(_: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [b"body"]

    app = counted(answer, requests)
    environ = {"REQUEST_METHOD": "GET", "koinx.rule": "/stats"}
    assert list(app(environ, lambda *_: lambda _: None)) == [b"body"]
    assert counts(requests) == {Answered("/stats", "GET", "2xx"): 1}


def test_an_application_that_fails_is_counted(requests: RequestMetrics) -> None:
    def fail(*_: Any) -> list[bytes]:
        raise RuntimeError("a fault")

    with pytest.raises(RuntimeError):
        counted(fail, requests)({"REQUEST_METHOD": "GET"}, lambda *_: lambda _: None)
    assert counts(requests) == {Answered("unknown", "GET", "5xx"): 1}


def test_streams_are_counted_while_they_are_open(requests: RequestMetrics) -> None:
    with requests.listening(), requests.listening():
        assert requests.all()[1] == 2
    assert requests.all()[1] == 0


def test_rules_as_in_the_document() -> None:
    assert (
        openapi_path("/v1/coins/<string(maxlength=128):coin>/quotes") == "/v1/coins/{coin}/quotes"
    )
    assert openapi_path("/docs/assets/<path:filename>") == "/docs/assets/{filename}"
    assert openapi_path("/stats") == "/stats"
