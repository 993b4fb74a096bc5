"""Answers that may be kept."""

import gzip
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask, Response
from flask.testing import FlaskClient
from werkzeug.datastructures import Accept
from werkzeug.http import http_date, parse_accept_header

from api.cache import http_headers, invalidation
from api.cache.http_headers import compress, content_coding, etag, max_age
from bench.harness.services import keep, quote
from market.ledger.ledger import Ledger
from market.storage.quote_store import QuoteStore
from tests.harness.ledger_entries import closed
from tests.harness.slot_arrival import the_slot_is_in

NOW = datetime(2026, 11, 22, 8, 33, 20, tzinfo=UTC)
LONG = {"Accept-Encoding": "gzip"}


@pytest.mark.parametrize(
    ("accepted", "chosen"),
    [
        ("", None),
        ("gzip", "gzip"),
        ("GZIP", "gzip"),
        ("*", "gzip"),
        ("br, gzip;q=0.1", "gzip"),
        ("gzip;q=0", None),
        ("gzip;q=0, *", None),
        ("*;q=0", None),
        ("identity, gzip;q=0.5", None),
        ("identity;q=0.5, gzip", "gzip"),
        ("identity;q=0, gzip;q=0.1", "gzip"),
        ("br", None),
        ("gzip;q=nan", None),
        ("gzip;q=1e9", None),
        (";;;,\t=", None),
    ],
)
def test_gzip_is_taken_when_it_is_allowed(accepted: str, chosen: str | None) -> None:
    assert content_coding(parse_accept_header(accepted, Accept), 100_000) == chosen


def test_a_short_answer_stays_as_it_is() -> None:
    short = http_headers.GZIP_FROM_BYTES - 1
    assert content_coding(parse_accept_header("gzip", Accept), short) is None


def test_gzip_makes_the_same_bytes_each_time() -> None:
    body = b'{"price": 1}' * 1000
    assert compress(body) == compress(body)
    assert gzip.decompress(compress(body)) == body


def test_a_tag_is_strong_and_stands_for_bytes_coding_and_headers() -> None:
    tags = {
        etag(b"{}", [], None, NOW),
        etag(b"[]", [], None, NOW),
        etag(b"{}", [], "gzip", NOW),
        etag(b"{}", ["<next>"], None, NOW),
        etag(b"{}", ["", "<next>"], None, NOW),
    }
    assert len(tags) == 5
    assert all(one.startswith('"') and one.endswith('"') for one in tags)
    assert etag(b"{}", [], None, NOW) == etag(b"{}", [], None, NOW + timedelta(days=9))


def test_an_age_that_ticks_changes_a_tag_once_a_minute() -> None:
    def of(age: str, price: int = 1, seconds: int = 0) -> str:
        body = f'[{{"price":{price},"age_seconds":{age},"state":"fresh"}}]'.encode()
        return etag(body, [], None, NOW + timedelta(seconds=seconds))

    assert of("12.5").startswith('W/"')
    assert of("12.5") == of("13") == of("1e-05") == of("14.25", seconds=39)
    assert of("12.5") != of("12.5", price=2)
    assert of("12.5") != of("52.5", seconds=40)  # 08:34:00
    assert of("null").startswith('"')


def test_a_text_that_looks_like_an_age_is_none() -> None:
    one, other = (f'{{"name":"\\"age_seconds\\":{n}"}}'.encode() for n in (1, 2))
    assert etag(one, [], None, NOW) != etag(other, [], None, NOW)
    assert etag(one, [], None, NOW).startswith('"')


@pytest.mark.parametrize(
    ("next_news", "ages", "seconds"),
    [
        (None, False, 1),
        (None, True, 1),
        (NOW + timedelta(seconds=700.9), False, 700),
        (NOW + timedelta(seconds=700), True, 40),  # to 08:34:00
        (NOW + timedelta(seconds=0.5), False, 0),
        (NOW - timedelta(seconds=5), False, 0),
        (NOW + timedelta(days=40), False, 3600),
    ],
)
def test_an_answer_holds_to_the_next_slot(
    next_news: datetime | None, ages: bool, seconds: int
) -> None:
    assert max_age(NOW, next_news, ages=ages) == seconds


@pytest.fixture
def stored(store: QuoteStore) -> None:
    keep(store, *(quote(f"coin-{number}", 1.0) for number in range(30)), quote("bitcoin", 2.0))


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize(
    "path",
    [
        *("/stats?coin=bitcoin", "/deviation?coin=bitcoin", "/v1/coins?page_size=2"),
        *("/v1/coins/bitcoin", "/v1/updates", "/openapi.json"),
    ],
)
def test_what_is_known_already_is_not_sent_again(
    client: FlaskClient, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_headers, "AGE_SECONDS", 10**9)  # no minute ends meanwhile
    first = client.get(path)
    etag = first.headers["ETag"]
    assert first.headers["Vary"] == "Accept-Encoding"
    for known in (etag, f'"other", {etag}', "*", f"W/{etag.removeprefix('W/')}"):
        answer = client.get(path, headers={"If-None-Match": known})
        assert (answer.status_code, answer.data) == (304, b""), known
        assert answer.headers["ETag"] == etag
        assert answer.headers["Vary"] == "Accept-Encoding"
        assert "Cache-Control" in answer.headers
        assert "Content-Type" not in answer.headers
    for other in ('"other"', etag[:-1] + '-gzip"'):
        answer = client.get(path, headers={"If-None-Match": other})
        assert answer.status_code == 200


@pytest.mark.usefixtures("stored")
def test_a_long_answer_is_compressed_under_a_tag_of_its_own(client: FlaskClient) -> None:
    plain, small = client.get("/openapi.json"), client.get("/openapi.json", headers=LONG)
    assert small.headers["Content-Encoding"] == "gzip"
    assert int(small.headers["Content-Length"]) == len(small.data) < len(plain.data) / 3
    assert gzip.decompress(small.data) == plain.data
    assert small.headers["ETag"] != plain.headers["ETag"]
    again = {**LONG, "If-None-Match": small.headers["ETag"]}
    assert client.get("/openapi.json", headers=again).status_code == 304
    head = client.head("/openapi.json", headers=LONG)
    assert head.headers["ETag"] == small.headers["ETag"]
    assert head.headers["Content-Length"] == small.headers["Content-Length"]


@pytest.mark.usefixtures("stored")
def test_another_price_another_tag(client: FlaskClient, store: QuoteStore) -> None:
    etag = client.get("/stats?coin=bitcoin").headers["ETag"]
    keep(store, quote("bitcoin", 3.0))
    answer = client.get("/stats?coin=bitcoin", headers={"If-None-Match": etag})
    assert answer.status_code == 200
    assert answer.json is not None
    assert answer.json["price"] == 3.0


def test_pages_that_were_added_change_the_tag_of_a_page(
    client: FlaskClient, ledger: Ledger
) -> None:
    path = "/v1/updates?page=9"
    closed(ledger, "first", "done")
    etag = client.get(path).headers["ETag"]
    closed(ledger, "second", "done")
    assert client.get(path, headers={"If-None-Match": etag}).status_code == 200


@pytest.mark.parametrize("path", ["/stats?coin=bitcoin", "/deviation?coin=bitcoin"])
def test_a_date_is_told_but_is_no_validator(
    client: FlaskClient, store: QuoteStore, path: str
) -> None:
    keep(store, quote("bitcoin", 2.0), recorded_at=NOW)
    etag = client.get(path).headers["ETag"]
    for seconds, known, status in (
        *((0, None, 200), (1, None, 200), (10**8, None, 200)),
        *((0, '"other"', 200), (-1, etag, 304)),
    ):
        headers = {"If-Modified-Since": http_date(NOW + timedelta(seconds=seconds))}
        if known:
            headers["If-None-Match"] = known
        answer = client.get(path, headers=headers)
        assert answer.status_code == status, (seconds, known)
        assert status == 304 or answer.headers["Last-Modified"] == http_date(NOW)


@pytest.mark.usefixtures("stored")
def test_a_window_moves_on_with_each_minute(app: Flask) -> None:
    the_slot_is_in(app)
    path = "/v1/correlations?coin=bitcoin&coin=coin-1&window=1h"
    answer = app.test_client().get(path)
    assert answer.headers["ETag"].startswith('"')
    assert 0 <= int(answer.headers["Cache-Control"].removeprefix("max-age=")) <= 60


@pytest.mark.usefixtures("stored")
def test_an_answer_holds_briefly_till_the_slot_s_update_is_in(app: Flask) -> None:
    answer = app.test_client().get("/stats?coin=bitcoin")
    assert answer.headers["Cache-Control"] == "max-age=1"


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize("path", ["/stats?coin=bitcoin", "/deviation?coin=bitcoin"])
def test_then_it_holds_to_the_next_slot(app: Flask, path: str) -> None:
    left = the_slot_is_in(app)
    answer = app.test_client().get(path)
    seconds = int(answer.headers["Cache-Control"].removeprefix("max-age="))
    assert left - 5 <= seconds <= left


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize(
    "path",
    ["/deviation?coin=bitcoin", "/v1/coins/bitcoin/quotes?limit=1", "/v1/coins/bitcoin/candles"],
)
def test_what_holds_repaired_prices_may_change_at_any_time(app: Flask, path: str) -> None:
    the_slot_is_in(app)
    repaired = f"{path}{'&' if '?' in path else '?'}include=repaired"
    answer = app.test_client().get(repaired)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-cache")
    assert "ETag" in answer.headers


@pytest.mark.usefixtures("stored")
def test_an_answer_with_an_age_holds_to_the_minute_s_end(app: Flask) -> None:
    the_slot_is_in(app)
    answer = app.test_client().get("/v1/coins")
    assert 0 <= int(answer.headers["Cache-Control"].removeprefix("max-age=")) <= 60


@pytest.mark.usefixtures("stored")
def test_what_was_read_before_the_update_came_in_holds_briefly(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(invalidation, "CHECK_SECONDS", 0)
    view = app.view_functions["stats.stats"]

    def meanwhile(**arguments: Any) -> Any:
        answer = view(**arguments)
        the_slot_is_in(app)
        return answer

    app.view_functions["stats.stats"] = meanwhile
    answer = app.test_client().get("/stats?coin=bitcoin")
    assert answer.headers["Cache-Control"] == "max-age=1"


def test_the_ledger_is_asked_each_time(client: FlaskClient, ledger: Ledger) -> None:
    closed(ledger, "one", "done")
    for path in ("/v1/updates", "/v1/updates/one"):
        assert client.get(path).headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *(("GET", "/health"), ("GET", "/ready"), ("GET", "/nope"), ("GET", "/stats")),
        *(("GET", "/v1/coins?page=x"), ("DELETE", "/stats"), ("POST", "/v1/updates")),
    ],
)
def test_errors_changes_and_health_are_not_kept(
    client: FlaskClient, method: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.resources.updates.PUBLISH_SECONDS", 0.2)
    headers = client.open(path, method=method, headers=LONG).headers
    assert headers["Cache-Control"] == "no-store"
    assert "ETag" not in headers
    assert "Content-Encoding" not in headers


def test_a_stream_is_left_as_it_is(app: Flask) -> None:
    @app.get("/stream")
    def stream() -> Response:
        def parts() -> Iterator[bytes]:
            for _ in range(3):
                yield b"x" * 1000

        return Response(parts(), headers={"Cache-Control": "no-store, no-transform"})

    answer = app.test_client().get("/stream", headers={**LONG, "If-None-Match": "*"})
    assert (answer.status_code, answer.data) == (200, b"x" * 3000)
    assert answer.headers["Cache-Control"] == "no-store, no-transform"
    assert not {"ETag", "Content-Encoding"} & set(answer.headers.keys())
