"""The document that the repository keeps, and what it promises of every operation."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from api.cache import http_headers
from api.openapi import dump
from api.openapi.spec import operations
from tests.harness.api_server import consuming

COMMAND = ".venv/bin/python -m api.openapi.dump"
LEDGERS = ("/v1/updates", "/v1/repairs")  # what they show changes at any time
KEPT = Path(dump.FILE)


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return dump.current()


@pytest.fixture
def client(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[FlaskClient]:
    """The API after two updates."""
    with consuming(app, monkeypatch) as ready:
        client = ready.test_client()
        for _ in range(2):
            answer = client.post("/trigger-update")
            assert answer.status_code == 200, answer.text
        yield client


def parameters(item: dict[str, Any], operation: dict[str, Any]) -> list[dict[str, Any]]:
    return [*item.get("parameters", ()), *operation.get("parameters", ())]


def filled_in(parameter: dict[str, Any]) -> Any:
    """What the explorer fills in, or None."""
    schema = parameter["schema"]
    for place, key in ((parameter, "example"), (schema, "example"), (schema, "default")):
        if place.get(key) not in (None, ""):
            return place[key]
    return None


def body(document: dict[str, Any], operation: dict[str, Any]) -> dict[str, Any] | None:
    """The body's example, which the explorer makes of its fields' examples."""
    if "requestBody" not in operation:
        return None
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    fields = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]["properties"]
    return {name: field["example"] for name, field in fields.items()}


def call(client: FlaskClient, document: dict[str, Any], method: str, path: str) -> TestResponse:
    item = document["paths"][path]
    sent: dict[str, dict[str, Any]] = {"path": {}, "query": {}, "header": {}}
    for parameter in parameters(item, item[method]):
        if (value := filled_in(parameter)) is not None:
            if isinstance(value, list) and not parameter.get("explode", True):
                value = ",".join(map(str, value))
            sent[parameter["in"]][parameter["name"]] = value
    return client.open(
        path.format(**sent["path"]),
        json=body(document, item[method]),
        method=method.upper(),
        query_string=sent["query"],
        headers={name: str(value) for name, value in sent["header"].items()},
    )


def test_what_is_kept_is_what_the_code_says() -> None:
    assert KEPT.read_text(encoding="utf-8") == dump.text(dump.current()), (
        f"docs/openapi.json is out of date: run {COMMAND}"
    )


def test_the_command_writes_it(tmp_path: Path) -> None:
    dump.main(tmp_path / "openapi.json")
    written = (tmp_path / "openapi.json").read_text(encoding="utf-8")
    assert written == dump.text(dump.current())
    assert written.endswith("}\n")
    assert str(tmp_path) not in written


def test_every_operation_says_what_it_is_for(document: dict[str, Any]) -> None:
    lacking = [
        f"{method} {path}: no {what}"
        for path, method, operation in operations(document)
        for what in ("summary", "operationId", "tags", "responses")
        if not operation.get(what)
    ]
    assert not lacking
    tags = {tag["name"] for tag in document["tags"] if tag.get("description")}
    assert {tag for _, _, one in operations(document) for tag in one["tags"]} <= tags


def test_names_are_each_once_and_fit_for_code(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(set(names)) == len(names)
    assert [name for name in names if not re.fullmatch("[a-z]+([A-Z][a-z0-9]*)+", name)] == []


def test_every_parameter_can_be_filled_in(document: dict[str, Any]) -> None:
    lacking = [
        f"{method} {path}: {parameter['name']}"
        for path, method, operation in operations(document)
        for parameter in parameters(document["paths"][path], operation)
        if filled_in(parameter) is None and "enum" not in parameter["schema"]
    ]
    assert not lacking, "no example, default or enum"


def test_every_number_says_its_unit(document: dict[str, Any]) -> None:
    lacking = [
        f"{name}.{field}"
        for name, schema in document["components"]["schemas"].items()
        for field, one in schema.get("properties", {}).items()
        if "number" in one.get("type", ()) and not one.get("description")
    ]
    assert not lacking


ALWAYS_FINE = ("/health", "/metrics")  # they answer whatever is down


def test_every_operation_documents_its_errors(document: dict[str, Any]) -> None:
    lacking = [
        f"{method} {path}"
        for path, method, operation in operations(document)
        if path not in ALWAYS_FINE and not any(code >= "400" for code in operation["responses"])
    ]
    assert not lacking


def test_every_example_answers(client: FlaskClient, document: dict[str, Any]) -> None:
    answers = {}
    for path, method, operation in operations(document):
        with call(client, document, method, path) as answer:
            answers[f"{method} {path}"] = answer.status_code
            assert str(answer.status_code) in operation["responses"], (path, answer.status_code)
    assert {what: code for what, code in answers.items() if not 200 <= code < 300} == {}


def test_every_answer_that_has_a_tag_can_be_asked_about(
    client: FlaskClient, document: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_headers, "AGE_SECONDS", 10**9)  # no minute ends meanwhile
    wrong = []
    for path, method, operation in operations(document):
        if "304" not in operation["responses"]:
            continue
        with call(client, document, method, path) as first:
            etag = first.headers["ETag"]
            holds = "no-cache" if path.startswith(LEDGERS) else "max-age="
            assert first.headers["Cache-Control"].startswith(holds), path
        with call(client, document, method, path) as second:
            if second.headers["ETag"] != etag:
                wrong.append(path)
    assert not wrong, "their tags change though nothing is new"
