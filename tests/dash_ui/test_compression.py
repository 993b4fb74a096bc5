"""How the dashboard's answers travel: packed, and kept where they never change."""

import gzip
import re
from typing import Any

import pytest
from flask import Flask, Response
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from dash_ui.app import create_app
from dash_ui.compression import (
    CACHE_FOR_A_YEAR,
    MAX_CACHED_FILES,
    MIN_GZIP_BYTES,
    compress_responses,
)

GRID = "/_dash-component-suites/dash_ag_grid/async-community.js"
ENDING = re.compile(rb'"end_?[iI]d":"[^"]+"')
RENDERER = "/_dash-component-suites/dash/deps/prop-types@15.v{0}m1.8.1.min.js"
STYLE = "/assets/bootstrap.min.css"


@pytest.fixture(scope="module")
def client() -> FlaskClient:
    server: Flask = create_app("http://127.0.0.1:9").server
    return server.test_client()


def get(client: FlaskClient, path: str, accepted: str = "gzip", **headers: str) -> TestResponse:
    return client.get(path, headers={"Accept-Encoding": accepted, **headers})


@pytest.mark.parametrize("path", ["/", STYLE, GRID, "/_dash-layout", "/_dash-dependencies"])
def test_what_is_packed_says_the_same(client: FlaskClient, path: str) -> None:
    with get(client, path) as packed, get(client, path, "identity") as plain:
        assert packed.headers["Content-Encoding"] == "gzip"
        assert "Content-Encoding" not in plain.headers
        assert "Accept-Encoding" in packed.vary
        assert "Accept-Encoding" in plain.vary
        assert len(packed.data) < len(plain.data) / 2
        # The page names each reader's session anew.
        alike = (ENDING.sub(b"", data) for data in (gzip.decompress(packed.data), plain.data))
        assert next(alike) == next(alike)


def test_a_file_is_packed_once_for_all(client: FlaskClient, monkeypatch: Any) -> None:
    with get(client, GRID) as first:
        assert first.headers["Content-Encoding"] == "gzip"
    monkeypatch.setattr(gzip, "compress", lambda *_, **__: pytest.fail("packed anew"))
    with get(client, GRID) as second:
        assert second.data == first.data


def test_made_up_names_of_a_file_take_no_memory(monkeypatch: Any) -> None:
    kept: list[dict[Any, bytes]] = []
    monkeypatch.setattr("dash_ui.compression._compress", lambda _, packed: kept.append(packed))
    client: FlaskClient = create_app("http://127.0.0.1:9").server.test_client()
    get(client, RENDERER.format(0)).close()
    monkeypatch.undo()
    for number in range(MAX_CACHED_FILES + 5):
        with get(client, RENDERER.format(number)) as answer:
            assert answer.headers["Content-Encoding"] == "gzip"
    assert 0 < len(kept[0]) <= MAX_CACHED_FILES


@pytest.mark.parametrize("path", [GRID, STYLE])
@pytest.mark.parametrize("accepted", ["gzip", "identity"])
def test_a_file_that_is_known_is_not_sent_again(
    client: FlaskClient, path: str, accepted: str
) -> None:
    with get(client, path, accepted) as first:
        tag = first.headers["ETag"]
    with get(client, path, accepted, **{"If-None-Match": tag}) as second:
        assert (second.status_code, second.data) == (304, b"")


def test_every_file_that_the_page_names_may_be_kept_for_a_year(client: FlaskClient) -> None:
    with get(client, "/", "identity") as index:
        named = re.findall(r'(?:src|href)="(/[^"]+)"', index.get_data(as_text=True))
    assert len(named) > 15
    for path in named:
        with get(client, path) as answer:
            assert answer.cache_control.max_age == 31_536_000, path


def test_one_that_does_not_name_its_version_is_asked_about(client: FlaskClient) -> None:
    with get(client, STYLE) as answer:
        assert answer.cache_control.no_cache
    with get(client, f"{STYLE}?m=1") as answer:
        assert answer.headers["Cache-Control"] == CACHE_FOR_A_YEAR


def test_the_guards_stand_on_packed_answers_too(client: FlaskClient) -> None:
    with get(client, "/") as answer:
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        assert "koinx_page" in answer.headers["Set-Cookie"]


@pytest.mark.parametrize(
    ("body", "mimetype", "packed"),
    [
        (b"x" * MIN_GZIP_BYTES, "application/json", True),
        (b"x" * (MIN_GZIP_BYTES - 1), "application/json", False),
        (b"x" * MIN_GZIP_BYTES, "image/png", False),
        ((part for part in [b"x" * MIN_GZIP_BYTES]), "text/plain", False),
    ],
)
def test_what_is_short_packed_already_or_without_an_end_goes_as_it_is(
    body: Any, mimetype: str, *, packed: bool
) -> None:
    app = Flask("delivered")
    compress_responses(app)
    app.add_url_rule("/", view_func=lambda: Response(body, mimetype=mimetype))
    with get(app.test_client(), "/") as answer:
        assert answer.headers.get("Content-Encoding") == ("gzip" if packed else None)


def test_an_error_is_left_alone(client: FlaskClient) -> None:
    with get(client, "/assets/nothing.css") as answer:
        assert answer.status_code == 404
        assert "Content-Encoding" not in answer.headers
