"""The OpenAPI document: what is added to it."""

import pytest

from api.openapi.spec import Document, finalize, operation_id


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("get", "/stats", "getStats"),
        ("get", "/v1/coins", "getCoins"),
        ("get", "/v1/coins/{coin}", "getCoin"),
        ("get", "/v1/coins/{coin}/quotes", "getCoinQuotes"),
        ("get", "/v1/quotes/export", "getQuotesExport"),
        ("get", "/v1/updates/{update_id}", "getUpdate"),
        ("post", "/v1/updates", "requestUpdate"),
        ("post", "/trigger-update", "triggerUpdate"),
        ("get", "/v1/odd-things", "getOddThings"),
    ],
)
def test_operations_have_names_that_a_client_can_use(method: str, path: str, name: str) -> None:
    assert operation_id(method, path) == name


def test_names_that_views_give_stay_and_so_does_the_order_of_fields() -> None:
    json: Document = {"application/json": {"schema": {"properties": {"price": {}, "at": {}}}}}
    operation = {
        "tags": ["coins"],
        "operationId": "own",
        "responses": {"503": {}, "200": {"content": json}},
    }
    document = finalize({"paths": {"/v1/x": {"get": operation}}, "components": {}})
    made = document["paths"]["/v1/x"]["get"]
    assert made["operationId"] == "own"
    assert list(made["responses"]) == ["200", "304", "414", "503"]
    assert set(made["responses"]["200"]["headers"]) == {"ETag", "Cache-Control"}
    schema = made["responses"]["200"]["content"]["application/json"]["schema"]
    assert list(schema["properties"]) == ["price", "at"]


@pytest.mark.parametrize(
    ("tag", "media_type"), [("system", "application/json"), ("export", "text/csv")]
)
def test_what_has_no_tag_is_not_said_to_have_one(tag: str, media_type: str) -> None:
    responses: Document = {"200": {"content": {media_type: {}}}}
    document = finalize(
        {"paths": {"/x": {"get": {"tags": [tag], "responses": responses}}}, "components": {}}
    )
    assert set(document["paths"]["/x"]["get"]["responses"]) == {"200", "414"}
