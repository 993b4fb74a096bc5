"""The application as a whole."""

from flask.testing import FlaskClient

from api.app import OrjsonProvider
from api.openapi import dump


def test_the_document_lists_what_there_is(client: FlaskClient) -> None:
    document = client.get("/openapi.json").json
    assert document is not None
    assert document["openapi"] == "3.1.0"
    assert {"/stats", "/health", "/v1/coins/{coin}", "/v1/updates"} <= set(document["paths"])
    stats = document["components"]["schemas"]["Stats"]["properties"]
    assert set(stats) == {"price", "marketCap", "24hChange"}


def test_two_apps_in_one_process_have_the_same_document(client: FlaskClient) -> None:
    assert client.get("/openapi.json").get_json() == dump.current()


def test_a_number_that_is_none_is_null(client: FlaskClient) -> None:
    json = client.application.json
    assert isinstance(json, OrjsonProvider)
    assert json.dumps([float("nan"), 1.5]) == "[null,1.5]"
