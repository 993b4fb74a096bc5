"""Who may change something."""

import time
from typing import Any

import pytest
from flask import Flask
from pydantic import SecretStr

from access.login_attempts import ATTEMPTS_PER_MINUTE
from api.app import create_app
from api.extensions import EXTENSION
from api.protection.auth import restricted
from settings import Settings

KEY = "the-key"


@pytest.fixture
def guarded_app(settings: Settings) -> Any:
    app = create_app(settings.model_copy(update={"api_key": SecretStr(KEY)}))

    @app.post("/restricted")
    def guarded_view() -> str:
        return restricted(lambda: "passed")()

    yield app
    app.extensions[EXTENSION].nats.close()


@pytest.mark.parametrize(
    ("address", "headers", "status"),
    [
        ("127.0.0.1", {}, 200),
        ("127.0.0.1", {"Origin": "http://localhost"}, 200),
        ("127.0.0.1", {"Origin": "http://localhost:80"}, 200),
        ("127.0.0.1", {"Origin": "http://localhost:8050"}, 403),
        ("127.0.0.1", {"Origin": "http://127.0.0.1"}, 403),
        ("127.0.0.1", {"Origin": "https://localhost"}, 403),
        ("127.0.0.1", {"Origin": "http://localhost:8050", "Host": "localhost:8050"}, 200),
        ("127.0.0.1", {"Origin": "http://LOCALHOST:8050", "Host": "localhost:8050"}, 200),
        ("127.0.0.1", {"Origin": "http://[::1]:1", "Host": "[::1]:1"}, 200),
        ("127.0.0.1", {"Origin": "http://[::1]:1", "Host": "[::1]:2"}, 403),
        ("127.0.0.1", {"Origin": "http://["}, 403),
        ("127.0.0.1", {"Origin": "http://localhost:x"}, 403),
        ("127.0.0.1", {"Origin": ""}, 403),
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
        "/restricted", headers=headers, environ_base={"REMOTE_ADDR": address}
    )
    assert answer.status_code == status


@pytest.mark.parametrize(
    "header",
    [
        *("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Via"),
        *("X-Real-IP", "x-forwarded-for", "X_Forwarded_For", "X-Forwarded", "CF-Connecting-IP"),
        *("X-Original-URL", "X-Forwarded-Client-Cert", "True-Client-IP", "X-Client-IP"),
    ],
)
@pytest.mark.parametrize("value", ["127.0.0.1", "for=127.0.0.1;host=localhost", ""])
@pytest.mark.row("forwarded")
def test_what_a_proxy_passed_on_is_never_local(guarded_app: Flask, header: str, value: str) -> None:
    client = guarded_app.test_client()
    local = {"REMOTE_ADDR": "127.0.0.1"}
    answer = client.post("/restricted", headers={header: value}, environ_base=local)
    assert answer.status_code == 401
    keyed = client.post(
        "/restricted", headers={header: value, "X-API-Key": KEY}, environ_base=local
    )
    assert keyed.status_code == 200


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


def guess(app: Flask, address: str, key: str, **headers: str) -> tuple[int, str | None]:
    """The status, and how long to wait."""
    answer = app.test_client().post(
        "/restricted",
        headers={"X-API-Key": key, **{name.replace("_", "-"): headers[name] for name in headers}},
        environ_base={"REMOTE_ADDR": address},
    )
    return answer.status_code, answer.headers.get("Retry-After")


@pytest.mark.row("guessing")
def test_after_ten_wrong_keys_none_of_the_address_is_looked_at(guarded_app: Flask) -> None:
    for number in range(ATTEMPTS_PER_MINUTE):
        assert guess(guarded_app, "192.0.2.7", f"wrong-{number}") == (401, None)
    for key in ("wrong-0", "another", KEY):
        status, wait = guess(guarded_app, "192.0.2.7", key)
        assert status == 429
        assert 1 <= int(wait or 0) <= 60
    assert guess(guarded_app, "192.0.2.8", KEY) == (200, None)
    assert guess(guarded_app, "127.0.0.1", KEY) == (200, None)


@pytest.mark.row("guessing")
def test_all_processes_count_together(guarded_app: Flask, settings: Settings) -> None:
    other = create_app(settings.model_copy(update={"api_key": SecretStr(KEY)}))
    other.add_url_rule("/restricted", view_func=restricted(lambda: ""), methods=["POST"])
    for number in range(ATTEMPTS_PER_MINUTE):
        app = (guarded_app, other)[number % 2]
        assert guess(app, "192.0.2.7", f"wrong-{number}")[0] == 401
    assert [guess(app, "192.0.2.7", KEY)[0] for app in (guarded_app, other)] == [429, 429]
    other.extensions[EXTENSION].nats.close()


@pytest.mark.row("guessing")
def test_who_guesses_through_a_proxy_of_this_machine_locks_out_nobody_here(
    guarded_app: Flask,
) -> None:
    through = {"X_Forwarded_For": "198.51.100.1"}
    for number in range(ATTEMPTS_PER_MINUTE):
        assert guess(guarded_app, "127.0.0.1", f"wrong-{number}", **through)[0] == 401
    assert guess(guarded_app, "127.0.0.1", KEY, **through)[0] == 429
    assert guess(guarded_app, "127.0.0.1", KEY) == (200, None)


@pytest.mark.row("guessing")
def test_who_guesses_on_this_machine_learns_nothing_and_locks_out_nobody(
    guarded_app: Flask,
) -> None:
    foreign = {"Host": "rebound.example"}  # which the right key alone gets past
    assert guess(guarded_app, "127.0.0.1", KEY, **foreign)[0] == 200
    for number in range(ATTEMPTS_PER_MINUTE):
        assert guess(guarded_app, "127.0.0.1", f"wrong-{number}", **foreign)[0] == 403
    assert guess(guarded_app, "127.0.0.1", KEY, **foreign)[0] == 403
    assert guess(guarded_app, "127.0.0.1", KEY) == (200, None)


@pytest.fixture
def keyed_app(settings: Settings) -> Any:
    """An app that wants the key of everybody."""
    app = create_app(settings.model_copy(update={"api_key": SecretStr(KEY), "local_access": "key"}))
    yield app
    app.extensions[EXTENSION].nats.close()


@pytest.mark.row("local-stranger")
@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.2", "::1", "192.0.2.7"])
def test_where_every_call_needs_the_key_none_goes_without(keyed_app: Flask, address: str) -> None:
    client, here = keyed_app.test_client(), {"REMOTE_ADDR": address}
    spec = client.get("/openapi.json").json
    assert spec is not None
    open_to_all = {"/health", "/ready"}
    for path, operations in spec["paths"].items():
        for method in {*operations, "head", "options", "delete"} - {"parameters"}:
            for key in ({}, {"X-API-Key": "wrong"}):
                answer = client.open(path, method=method, headers=key, environ_base=here)
                if path not in open_to_all:
                    assert answer.status_code in {401, 429}, (method, path)
    for path in ("/", "/nothing", "/v1//coins", "/openapi.json/"):
        assert client.get(path, environ_base=here).status_code in {401, 429}
    for path in ("/health", "/ready", "/openapi.json", "/docs", "/docs/explorer.js"):
        with client.get(path, environ_base=here) as shown:
            assert shown.status_code in {200, 503}


@pytest.mark.row("local-stranger")
def test_where_every_call_needs_the_key_wrong_ones_of_this_machine_keep_nobody_out(
    keyed_app: Flask,
) -> None:
    client = keyed_app.test_client()
    for number in range(2 * ATTEMPTS_PER_MINUTE):
        assert client.get("/v1/updates", headers={"X-API-Key": f"{number}"}).status_code == 401
    assert client.get("/v1/updates", headers={"X-API-Key": KEY}).status_code == 200
    assert guess(keyed_app, "192.0.2.7", "wrong")[0] in {401, 404}
    refused = client.get("/stats?coin=bitcoin")
    assert refused.json is not None
    assert "as X-API-Key" in refused.json["error"]


@pytest.mark.row("local-stranger")
@pytest.mark.row("guessing")
def test_where_every_call_needs_the_key_guesses_from_elsewhere_are_counted(
    keyed_app: Flask,
) -> None:
    client, there = keyed_app.test_client(), {"REMOTE_ADDR": "192.0.2.7"}
    proxied = {"X-Forwarded-For": "192.0.2.8"}
    for number in range(ATTEMPTS_PER_MINUTE):
        wrong = {"X-API-Key": f"{number}"}
        assert client.get("/stats", headers=wrong, environ_base=there).status_code == 401
        assert client.get("/stats", headers=wrong | proxied).status_code == 401
    right = {"X-API-Key": KEY}
    assert client.get("/stats", headers=right, environ_base=there).status_code == 429
    assert client.get("/stats", headers=right | proxied).status_code == 429


@pytest.mark.row("local-stranger")
def test_where_every_call_needs_the_key_a_kept_answer_needs_it_too(keyed_app: Flask) -> None:
    on = keyed_app.extensions[EXTENSION]
    on.response_cache.trust(time.monotonic() + 60)
    client, right = keyed_app.test_client(), {"X-API-Key": KEY}
    asked = [client.get("/v1/coins", headers=right) for _ in range(2)]
    assert [one.status_code for one in asked] == [200, 200]
    kept = ("/v1/coins", "", False, "localhost")
    assert on.response_cache.get(kept, time.monotonic()) is not None
    for headers in ({}, {"X-API-Key": "wrong"}, right | {"Via": "1.1 proxy", "X-API-Key": "no"}):
        assert client.get("/v1/coins", headers=headers).status_code == 401
