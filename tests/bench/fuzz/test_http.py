"""Whatever is sent over HTTP: no 5xx, no HTML, no traceback, and every answer as documented.

`python -m bench.fuzz http` sends 10,000 requests.
"""

from collections.abc import Iterator
from itertools import islice

import pytest
import requests
from flask.testing import FlaskClient

from api.errors import LEGACY_PATHS
from api.validation import MAX_PAGE
from bench.fuzz.http import fault_of, fuzz, raw_requests, send_raw
from bench.fuzz.run import NEVER, tracebacks
from bench.harness.services import keep, quote
from bench.harness.system import System, running
from market.storage.quote_store import QuoteStore


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    home = tmp_path_factory.mktemp("hostile")
    with running(home, "--demo", COINS="bitcoin,top:5", CRON_SCHEDULE=NEVER) as made:
        yield made


def test_an_update_that_was_accepted_is_at_its_location_at_once(system: System) -> None:
    for _ in range(5):
        accepted = requests.post(f"{system.api}/v1/updates", timeout=10)
        assert accepted.status_code == 202
        assert system.get(accepted.headers["Location"]).status_code == 200


@pytest.mark.row("hostile-http")
def test_bytes_that_no_client_would_send(system: System) -> None:
    tally = send_raw(system.api, 400, seed=2)
    assert tally.faults == []
    assert tally.requests == 400
    assert tracebacks(system, "api") == []


@pytest.mark.row("hostile-http")
def test_requests_made_from_the_document(system: System) -> None:
    tally = fuzz(system.api, 3, seed=1)
    assert not tally.faults, "\n".join(tally.faults)
    assert tally.requests > 100
    assert tracebacks(system, "api") == []


@pytest.mark.parametrize("path", ["/v1/updates", "/v1/coins"])
@pytest.mark.parametrize(
    ("page", "status"),
    [(MAX_PAGE, 200), (MAX_PAGE + 1, 422), (10**18, 422), ("9" * 900, 422), ("9" * 5000, 414)],
)
@pytest.mark.row("hostile-http")
def test_no_page_is_beyond_what_the_database_can_skip(
    client: FlaskClient, path: str, page: int | str, status: int
) -> None:
    answer = client.get(f"{path}?page={page}&page_size=100")
    assert answer.status_code == status
    assert answer.is_json


@pytest.mark.row("hostile-http")
def test_a_large_body_is_refused(client: FlaskClient) -> None:
    answer = client.post("/v1/updates", data=b"[" * 65_537)
    assert answer.status_code == 413
    assert answer.json is not None
    assert answer.json["message"] == "The body has 65537 bytes; at most 65536 are allowed"


@pytest.mark.row("hostile-http")
@pytest.mark.parametrize(
    "path",
    [
        *("/stats", "/deviation", "/health", "/metrics", "/v1/updates", "/docs", "/nowhere"),
        *("/v1/coins", "/v1/coins/bitcoin/quotes", "/openapi.json", "/v1/events"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE"])
def test_a_long_query_is_refused(client: FlaskClient, path: str, method: str) -> None:
    for part in ("x", "%78", "coin=bitcoin&"):
        answer = client.open(f"{path}?{part * 1025}"[: len(path) + 1 + 1025], method=method)
        assert answer.status_code in (414, 405), part
        if method == "GET":
            assert answer.json is not None
            assert answer.json["message"] == "The query has 1025 bytes; at most 1024 are allowed"
            assert ("error" in answer.json) == (path in LEGACY_PATHS)


def test_as_many_coins_as_are_allowed_can_be_named(client: FlaskClient, store: QuoteStore) -> None:
    keep(store, *(quote(f"{number:0128}", 1.0) for number in range(250)))
    coins = "&".join(f"coin={number:0128}" for number in range(250))
    assert client.get(f"/v1/quotes/export?{coins}").text.count("\n") == 251
    few = "&".join(coins.split("&")[:50])
    assert client.get(f"/v1/correlations?{few}").status_code == 200
    for path in (f"/v1/quotes/export?{coins}&{'x' * 5000}", f"/v1/correlations?{coins}"):
        assert client.get(path).status_code == 414


def test_options_say_nothing_of_html(client: FlaskClient) -> None:
    answer = client.options("/v1/coins")
    assert answer.status_code == 200
    assert "Content-Type" not in answer.headers
    assert "GET" in answer.headers["Allow"]


def test_every_operation_documents_its_errors(client: FlaskClient) -> None:
    document = client.get("/openapi.json").json
    assert document is not None
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if method == "parameters":
                continue
            assert "default" not in operation["responses"], path
            if path not in ("/health", "/metrics"):  # they answer whatever is down
                assert "503" in operation["responses"], path
            if method == "post":
                assert {"401", "403", "413", "429"} <= set(operation["responses"]), path


def test_the_same_seed_gives_the_same_requests() -> None:
    assert list(islice(raw_requests(7), 50)) == list(islice(raw_requests(7), 50))


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (b"", None),
        (b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n", None),
        (b"HTTP/1.1 500 Oh\r\n\r\n{}", "status 500"),
        (b"HTTP/1.1 404 No\r\nContent-Type: text/html\r\n\r\nno", "HTML"),
        (b"HTTP/1.1 200 OK\r\n\r\nTraceback (most recent call last)", "a traceback"),
        (b'HTTP/1.1 404 No\r\n\r\n{"error": "no"}', "an error in another form"),
        (b"\x00\x00\x18\x04", "no HTTP"),
    ],
)
def test_the_judge_tells_a_bad_answer(answer: bytes, fault: str | None) -> None:
    assert fault_of(answer) == fault
