"""What a browser is told that it may do."""

import pytest
from flask import Flask, Response
from flask.testing import FlaskClient

from api.protection.security_headers import HEADERS


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *(("GET", "/health"), ("GET", "/nope"), ("GET", "/openapi.json"), ("GET", "/stats")),
        *(("OPTIONS", "/v1/coins"), ("DELETE", "/v1/coins"), ("GET", "/v1/coins?page=x")),
    ],
)
def test_every_answer_is_guarded(client: FlaskClient, method: str, path: str) -> None:
    headers = client.open(path, method=method).headers
    assert {name: headers[name] for name in HEADERS} == HEADERS
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in policy
    assert "script-src" not in policy


def test_the_explorer_runs_its_own_scripts_alone(client: FlaskClient) -> None:
    for path in ("/docs", "/docs/explorer.js", "/docs/assets/swagger-ui.css"):
        with client.get(path) as answer:
            policy = answer.headers["Content-Security-Policy"]
        assert "script-src 'self';" in policy
        assert "connect-src 'self'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy


def test_a_fault_and_a_stream_are_guarded_as_well(app: Flask) -> None:
    app.config["PROPAGATE_EXCEPTIONS"] = False

    @app.get("/fault")
    def fault() -> str:
        raise RuntimeError

    @app.get("/stream")
    def stream() -> Response:
        return Response(iter([b"x"]))

    for path in ("/fault", "/stream"):
        answer = app.test_client().get(path)
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
