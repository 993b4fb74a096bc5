"""Every error in one form."""

import pytest
from flask import Flask
from flask.testing import FlaskClient
from pymongo.errors import ServerSelectionTimeoutError

FORM = {"code", "status", "message", "errors"}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nope", 404),
        ("GET", "/v1/coins/nope", 404),
        ("GET", "/v1/coins?page=x", 422),
        ("DELETE", "/v1/coins", 405),
        ("PATCH", "/", 404),
        ("GET", "/v1//coins", 404),
        ("GET", "/v1/coins/", 404),
        ("GET", "/v1/coins/%zz%ff", 404),
        ("GET", "/v1/coins/a%00b", 404),
        ("GET", "/v1/updates?page=" + "9" * 900, 422),
        ("GET", "/v1/updates?page=" + "9" * 5000, 414),
        ("GET", "/docs/assets/nope.js", 404),
        ("BREW", "/stats", 405),
    ],
)
def test_errors_have_one_form(client: FlaskClient, method: str, path: str, status: int) -> None:
    answer = client.open(path, method=method)
    assert answer.status_code == status
    assert answer.json is not None
    assert set(answer.json) - {"error"} == FORM
    assert answer.json["code"] == status
    assert answer.json["message"]


def test_a_wrong_method_names_the_right_ones(client: FlaskClient) -> None:
    answer = client.delete("/v1/coins")
    assert answer.headers["Allow"] == "GET, HEAD, OPTIONS"
    assert answer.json is not None
    assert answer.json["message"] == "'/v1/coins' takes GET, HEAD, OPTIONS, not DELETE"


@pytest.mark.parametrize("path", ["/v1/coin", "/v1/" + "x" * 5000])
def test_a_path_that_is_none_is_named(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert answer.json is not None
    assert answer.json["message"].startswith(f"There is nothing at '{path[:30]}")
    assert len(answer.text) < 200


def test_a_length_that_is_absurd_is_refused(client: FlaskClient) -> None:
    answer = client.post("/v1/updates", environ_overrides={"CONTENT_LENGTH": "9" * 22})
    assert answer.status_code == 413
    assert answer.is_json


@pytest.mark.parametrize(("method", "path"), [("POST", "/stats"), ("GET", "/trigger-update")])
def test_the_seed_s_paths_say_error_as_well(client: FlaskClient, method: str, path: str) -> None:
    answer = client.open(path, method=method)
    assert answer.status_code == 405
    assert answer.json is not None
    assert set(answer.json) == {*FORM, "error"}


def test_a_database_that_does_not_answer_is_a_503_without_its_address(app: Flask) -> None:
    @app.get("/broken")
    def broken() -> str:
        raise ServerSelectionTimeoutError("mongodb://user:secret@host: timed out")

    answer = app.test_client().get("/broken")
    assert answer.status_code == 503
    assert answer.json is not None
    assert "secret" not in answer.text
    assert "MongoDB does not respond" in answer.json["message"]


def test_a_fault_of_ours_is_a_500_without_a_traceback(app: Flask) -> None:
    app.config["PROPAGATE_EXCEPTIONS"] = False

    @app.get("/fault")
    def fault() -> str:
        raise RuntimeError("internals")

    answer = app.test_client().get("/fault")
    assert answer.status_code == 500
    assert answer.json is not None
    assert "internals" not in answer.text
