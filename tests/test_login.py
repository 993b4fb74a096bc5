"""The dashboard's password."""

import pytest
from flask.testing import FlaskClient

from dash_ui.app import create_app

PATHS = ("/", "/_dash-layout", "/_dash-dependencies", "/_dash-update-component")


@pytest.fixture(scope="module")
def client() -> FlaskClient:
    app = create_app("http://127.0.0.1:1", password="open sesame")
    return FlaskClient(app.server)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("auth", [None, ("", "wrong"), ("open sesame", ""), ("", "ö")])
@pytest.mark.row("other-machine")
def test_without_the_password_nothing_is_shown(
    client: FlaskClient, path: str, auth: tuple[str, str] | None
) -> None:
    answer = client.get(path, auth=auth)
    assert answer.status_code == 401
    assert "WWW-Authenticate" in answer.headers


def test_with_it_the_page_is_shown_and_health_needs_none(client: FlaskClient) -> None:
    assert client.get("/", auth=("anyone", "open sesame")).status_code == 200
    assert client.get("/health").status_code == 200


def test_a_dashboard_of_this_machine_needs_none() -> None:
    assert create_app("http://127.0.0.1:1").server.test_client().get("/").status_code == 200
