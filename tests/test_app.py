"""The application as a whole: its document, its explorer, its headers."""

import re

from flask.testing import FlaskClient


def test_the_document_lists_what_there_is(client: FlaskClient) -> None:
    document = client.get("/openapi.json").json
    assert document is not None
    assert document["openapi"] == "3.1.0"
    assert set(document["paths"]) == {
        "/stats",
        "/deviation",
        "/trigger-update",
        "/health",
        "/ready",
        "/v1/coins",
        "/v1/coins/{coin}",
        "/v1/updates",
        "/v1/updates/{update_id}",
    }
    stats = document["components"]["schemas"]["Stats"]["properties"]
    assert set(stats) == {"price", "marketCap", "24hChange"}


def test_the_explorer_needs_no_internet(client: FlaskClient) -> None:
    page = client.get("/docs")
    assert page.status_code == 200
    files = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert files
    for file in files:
        assert file.startswith("/docs/assets/")
        with client.get(file) as answer:
            assert answer.status_code == 200


def test_security_headers_are_on_every_answer(client: FlaskClient) -> None:
    for path in ("/health", "/nope", "/docs"):
        headers = client.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
