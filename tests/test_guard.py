"""Who may change something."""

from typing import Any

import pytest
from flask import Flask
from pydantic import SecretStr

from api.app import create_app
from api.services import EXTENSION
from settings import Settings

KEY = "the-key"


@pytest.fixture
def guarded_app(settings: Settings) -> Any:
    app = create_app(settings.model_copy(update={"api_key": SecretStr(KEY)}))

    @app.post("/guarded")
    def guarded_view() -> str:
        from api.guard import guarded

        return guarded(lambda: "passed")()

    yield app
    app.extensions[EXTENSION].nats.close()


@pytest.mark.parametrize(
    ("address", "headers", "status"),
    [
        ("127.0.0.1", {}, 200),
        ("127.0.0.1", {"Origin": "http://localhost:8050"}, 200),
        ("127.0.0.1", {"Origin": "http://evil.example"}, 403),
        ("127.0.0.1", {"Origin": "null"}, 403),
        ("127.0.0.1", {"Host": "localhost:3000"}, 200),
        ("127.0.0.1", {"Host": "[::1]:3000"}, 200),
        ("127.0.0.1", {"Host": "rebound.example:3000"}, 403),
        ("127.0.0.1", {"Host": "evil/"}, 403),
        ("127.0.0.1", {"Host": "evil:99999999"}, 403),
        ("127.0.0.1", {"Host": "e_vil@x"}, 403),
        ("127.0.0.1", {"Host": "["}, 403),
        ("127.0.0.1", {"Host": ""}, 403),
        ("127.0.0.1", {"X-API-Key": "wrong", "Origin": "http://evil.example"}, 403),
        ("192.0.2.7", {}, 401),
        ("192.0.2.7", {"X-API-Key": "wrong"}, 401),
        ("192.0.2.7", {"X-API-Key": "schlüssel"}, 401),
        ("192.0.2.7", {"X-API-Key": KEY}, 200),
    ],
)
@pytest.mark.row("foreign-page")
@pytest.mark.row("other-machine")
def test_this_machine_or_the_key(
    guarded_app: Flask, address: str, headers: dict[str, str], status: int
) -> None:
    answer = guarded_app.test_client().post(
        "/guarded", headers=headers, environ_base={"REMOTE_ADDR": address}
    )
    assert answer.status_code == status


@pytest.mark.row("foreign-page")
def test_every_operation_that_changes_something_is_guarded(guarded_app: Flask) -> None:
    client = guarded_app.test_client()
    spec = client.get("/openapi.json").json
    assert spec is not None
    changing = [
        (method, path)
        for path, operations in spec["paths"].items()
        for method in operations
        if method in ("post", "put", "patch", "delete")
    ]
    assert ("post", "/trigger-update") in changing
    for method, path in changing:
        answer = client.open(path, method=method, headers={"Origin": "http://evil.example"})
        assert answer.status_code == 403, path
