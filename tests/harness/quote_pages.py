"""Pages of the API, followed to the last."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from flask.testing import FlaskClient
from werkzeug.http import parse_options_header

BITCOIN = "/v1/coins/bitcoin/quotes"


def get(client: FlaskClient, path: str = BITCOIN, **query: object) -> Any:
    answer = client.get(path + ("?" + urlencode(query) if query else ""))
    assert answer.status_code == 200, answer.text
    return answer


def following(answer: Any) -> str | None:
    """Where the Link of an answer leads."""
    link = answer.headers.get("Link")
    if link is None:
        return None
    address, options = parse_options_header(link)
    assert options == {"rel": "next"}
    return address.strip("<>")


def all_pages(client: FlaskClient, path: str, **query: object) -> Iterator[Any]:
    """The answers, each where the Link of the one before leads."""
    answer = get(client, path, **query)
    yield answer
    for _ in range(50):
        if (path := following(answer) or "") == "":
            return
        answer = get(client, path)
        yield answer
    raise AssertionError(f"the pages do not end: {path}")
