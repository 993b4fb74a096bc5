"""What is wrong with parameters, in plain words."""

import pytest
from flask.testing import FlaskClient

from api.validation import MAX_PAGE


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("page=0", f"page is '0': allowed is 1 to {MAX_PAGE}"),
        ("page=x", "page is 'x': allowed is a whole number"),
        ("page_size=5000", "page_size is '5000': allowed is 1 to 250"),
        (f"search={'a' * 65}", f"search is '{'a' * 36}...: allowed is a length of at most 64"),
        ("page=&sort=rank", "page is '': allowed is a whole number"),
    ],
)
def test_a_message_names_the_parameter_its_value_and_what_is_allowed(
    client: FlaskClient, query: str, message: str
) -> None:
    answer = client.get(f"/v1/coins?{query}")
    assert answer.status_code == 422
    assert answer.json is not None
    assert answer.json["message"] == message
    assert "query" in answer.json["errors"]


def test_each_of_several_faults_is_told(client: FlaskClient) -> None:
    answer = client.get("/v1/coins?sort=size&search=" + "a" * 65)
    assert answer.json is not None
    sort, search = answer.json["message"].split("; ")
    assert sort.startswith("sort is 'size': allowed is one of rank, name,")
    assert search.endswith("a length of at most 64")


def test_a_number_of_900_digits_is_shortened(client: FlaskClient) -> None:
    answer = client.get("/v1/coins?page=" + "9" * 900)
    assert answer.status_code == 422
    assert answer.json is not None
    assert answer.json["message"] == f"page is '{'9' * 36}...: allowed is 1 to 1000000"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (f"/v1/correlations?coin=bitcoin&coin={'x' * 200}", f"coin is '{'x' * 36}...: allowed is "),
        ("/v1/events?limit=0", "limit: '0' is not a whole number from 1 to 1000"),
        ("/v1/coins/bitcoin/quotes?from=now", "from: 'now' is not an ISO-8601 time"),
    ],
)
def test_a_message_that_names_its_value_is_not_told_it_again(
    client: FlaskClient, path: str, message: str
) -> None:
    answer = client.get(path)
    assert answer.status_code == 422
    assert answer.json is not None
    assert answer.json["message"].startswith(message)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('{"coins": ["bitcoin", 7]}', "coins is 7: allowed is a string"),
        ('{"coins": [null]}', "coins is null: allowed is anything but null"),
        ('{"coins": []}', "coins is []: allowed is a length of 1 to 250"),
        ('{"coins": ["bitcoin"], "frm": 1}', "frm is 1: unknown field"),
        ("[]", "the body: allowed is a JSON object"),
        ("{}", "coins is missing"),
    ],
)
def test_a_field_of_a_body_is_named_with_its_value(
    client: FlaskClient, body: str, message: str
) -> None:
    answer = client.post("/v1/repairs", data=body, content_type="application/json")
    assert answer.status_code == 422
    assert answer.json is not None
    assert answer.json["message"] == message


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (b"[" * 60_000, 400, "The request body is not valid JSON: "),
        (b'{"coins": ' + b"9" * 5000 + b"}", 400, "The request body is not valid JSON: "),
        (b"{", 400, "The request body is not valid JSON: "),
        (b"\xff\xfe", 400, "The request body is not valid JSON: "),
        (b"", 422, "coins is missing"),
    ],
)
def test_what_is_no_json_is_said_to_be_none(
    client: FlaskClient, body: bytes, status: int, message: str
) -> None:
    answer = client.post("/v1/repairs", data=body, content_type="application/json")
    assert answer.status_code == status
    assert answer.json is not None
    assert answer.json["message"].startswith(message)


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_another_content_type_is_named(client: FlaskClient, content_type: str) -> None:
    answer = client.post("/v1/repairs", data="coins=bitcoin", content_type=content_type)
    assert answer.status_code == 415
    assert answer.json is not None
    assert answer.json["message"] == (
        f"Content-Type is '{content_type}': allowed is application/json"
    )


def test_the_document_says_so(client: FlaskClient) -> None:
    document = client.get("/openapi.json").get_json()
    assert {"400", "415", "422"} <= set(document["paths"]["/v1/repairs"]["post"]["responses"])
