"""JSON bodies, whatever is in them."""

import pytest
from flask.testing import FlaskClient


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (b"[" * 60_000, 400, "The body is no JSON: "),
        (b'{"coins": ' + b"9" * 5000 + b"}", 400, "The body is no JSON: "),
        (b"{", 400, "The body is no JSON: "),
        (b"\xff\xfe", 400, "The body is no JSON: "),
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
