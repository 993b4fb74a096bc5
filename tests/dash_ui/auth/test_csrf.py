"""Requests of other sites' pages."""

import pytest
from flask.testing import FlaskClient

from dash_ui.app import create_app

CALLBACK = "/_dash-update-component"


def client_of(key: str | None = "key") -> FlaskClient:
    return FlaskClient(create_app("http://127.0.0.1:1", api_key=key).server)


def name_and_token(client: FlaskClient) -> tuple[str, str]:
    """The cookie that comes with a page."""
    cookie = client.get("/").headers["Set-Cookie"]
    assert "SameSite=Strict" in cookie
    assert "HttpOnly" in cookie
    name, _, token = cookie.split(";")[0].partition("=")
    return name, token


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "http://localhost:9999"},
        {"Origin": "null"},
        {"Host": "evil.example"},
    ],
)
@pytest.mark.row("foreign-page")
def test_a_foreign_origin_or_host_is_refused_even_with_the_cookie(headers: dict[str, str]) -> None:
    client = client_of()
    assert client.get("/").status_code == 200
    answer = client.post(CALLBACK, json={}, headers=headers)
    assert answer.status_code in (400, 403)


@pytest.mark.parametrize("cookie", [None, "", "wrong", "ö"])
@pytest.mark.row("foreign-page")
def test_without_the_page_s_cookie_it_is_refused(cookie: str | None) -> None:
    client = client_of()
    if cookie is not None:
        client.set_cookie(name_and_token(client_of())[0], cookie)
    answer = client.post(CALLBACK, json={})
    assert answer.status_code == 403
    assert "reload the page" in answer.text


def test_the_page_s_own_request_passes_and_outlives_a_restart() -> None:
    name, token = name_and_token(client_of())
    restarted = client_of()
    restarted.set_cookie(name, token)
    origin = {"Origin": "http://localhost"}
    assert restarted.post(CALLBACK, json={}, headers=origin).status_code not in (400, 403)


def test_the_key_itself_is_not_given_away() -> None:
    page = client_of("the-secret-key").get("/")
    assert "the-secret-key" not in page.text + str(page.headers)
