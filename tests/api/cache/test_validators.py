"""No validator stands on less than all that an answer says.

Whatever changes an answer, whoever has the one before gets the new one, not a 304: tried of each
address that gives a validator, for each thing that changes what is stored.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from pymongo.database import Database
from werkzeug.http import http_date
from werkzeug.test import TestResponse

from api.cache import http_headers
from api.cache.http_headers import AGE, NEVER_STORED, TAGGED_HEADERS
from api.extensions import EXTENSION
from api.protection.security_headers import HEADERS, NOTHING
from bench.harness.services import keep, quote
from market.gap_repair.queue import RepairQueue, RepairRequest
from market.ledger.ledger import Ledger
from market.storage.database import MARKS, QUOTES, REPAIRED, Document
from market.storage.quote_store import QuoteStore
from tests.harness.coin_history_data import document
from tests.harness.ledger_entries import closed
from tests.harness.slot_arrival import the_slot_is_in

HOUR = timedelta(hours=1)
THEN = datetime.now(UTC).replace(microsecond=0) - HOUR
COIN = "/v1/coins/bitcoin"
PATHS = {
    "/stats": ["?coin=bitcoin", f"?coin=bitcoin&as_of={(THEN - HOUR).isoformat()[:19]}Z"],
    "/deviation": [
        "?coin=bitcoin",
        "?coin=bitcoin&include=repaired",
        "?coin=bitcoin&%69nclude=repaired",
        f"?coin=bitcoin&as_of={(THEN - HOUR).isoformat()[:19]}Z",
    ],
    "/v1/coins": ["", "?page_size=1", "?search=bit&sort=-price"],
    "/v1/coins/<string(maxlength=128):coin>": [COIN],
    "/v1/coins/<string(maxlength=128):coin>/quotes": [
        *(f"{COIN}/quotes", f"{COIN}/quotes?limit=1", f"{COIN}/quotes?include=repaired"),
    ],
    "/v1/coins/<string(maxlength=128):coin>/candles": [
        *(f"{COIN}/candles?interval=15m", f"{COIN}/candles?interval=1h&include=repaired"),
    ],
    "/v1/coins/<string(maxlength=128):coin>/statistics": [
        *(f"{COIN}/statistics?records=2", f"{COIN}/statistics?window=1d&include=repaired"),
    ],
    "/v1/correlations": [
        "?coin=bitcoin&coin=ethereum",
        "?coin=bitcoin&coin=ethereum&window=1d&include=repaired",
    ],
    "/v1/updates": ["", "?page_size=1"],
    "/v1/updates/<string(maxlength=64):update_id>": ["/v1/updates/latest"],
    "/v1/repairs": ["", "?page_size=1"],
    "/v1/repairs/progress": [""],
    "/openapi.json": [""],
}
# A stream and a file that is never the same: without a validator.
STREAMED = {"/v1/events", "/v1/quotes/export"}
# Files of ours: their tag is of their time and size.
FILES = {"/docs", "/docs/explorer.js", "/docs/assets/<path:filename>"}


def _late_quote(database: Database[Document]) -> None:
    database[QUOTES].insert_one(document("bitcoin", THEN - 0.7 * HOUR, 5.0, recorded_at=THEN))


def _repaired_quote(database: Database[Document]) -> None:
    at = THEN - 0.4 * HOUR
    database[REPAIRED].insert_one(document("bitcoin", at, 7.0, resolution=300, recorded_at=at))


def _within_the_second(database: Database[Document]) -> None:
    newer = THEN + timedelta(milliseconds=500)
    keep(QuoteStore(database), quote("bitcoin", 4.0, newer), recorded_at=newer)


def _other_currency(database: Database[Document]) -> None:
    """As another setting finds it: the same times and sources, other prices."""
    for name in (QUOTES, REPAIRED):
        database[name].update_many({}, {"$mul": {"price": 0.87}})
    database["latest"].update_many({}, {"$mul": {"coins.$[].price": 0.87}})


def _other_source(database: Database[Document]) -> None:
    for name in (QUOTES, REPAIRED):
        database[name].update_many({}, {"$set": {"source": "coinpaprika"}})
    database["latest"].update_many({}, {"$set": {"coins.$[].source": "coinpaprika"}})


def _retention(database: Database[Document]) -> None:
    database[MARKS].insert_one(
        {"_id": "bitcoin", "kept_from": THEN - 3 * HOUR, "until": THEN - 3 * HOUR, "late": 0}
    )


def _deleted(database: Database[Document]) -> None:
    database[QUOTES].delete_one({"_id.coin": "bitcoin", "_id.at": {"$lt": THEN - HOUR}})


def _one_more_coin(database: Database[Document]) -> None:
    keep(QuoteStore(database), quote("bit-more", 3.0, THEN), recorded_at=THEN)


def _ended_update(database: Database[Document]) -> None:
    closed(Ledger(database), "another", "done")


def _repair(database: Database[Document]) -> None:
    RepairQueue(database).add([RepairRequest("bitcoin", THEN - HOUR, THEN, 0)], THEN)


CHANGES = (
    *(_late_quote, _repaired_quote, _within_the_second, _other_currency, _other_source),
    *(_retention, _deleted, _one_more_coin, _ended_update, _repair),
)


@pytest.fixture
def client(app: Flask, store: QuoteStore, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    """Nothing changes by itself: the slot's update is in, and no minute ends meanwhile."""
    for age in (3, 2, 1, 0):
        at = THEN - age * HOUR
        some = (quote(coin, 1.0 + age, at) for coin in ("bitcoin", "ethereum"))
        keep(store, *some, recorded_at=at)
    the_slot_is_in(app)
    monkeypatch.setattr(http_headers, "AGE_SECONDS", 10**9)
    app.extensions[EXTENSION].response_cache.trust(float("inf"))
    return app.test_client()


def addresses() -> list[str]:
    return [
        f"{'' if one.startswith('/') else rule}{one}"
        for rule, some in PATHS.items()
        for one in some
    ]


@pytest.mark.row("validators")
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_304_is_for_the_answer_that_would_be_sent(
    client: FlaskClient,
    app: Flask,
    database: Database[Document],
    change: Callable[[Database[Document]], None],
) -> None:
    # Given
    before = {path: client.get(path) for path in addresses()}
    assert {answer.status_code for answer in before.values()} == {200}
    # When
    change(database)
    app.extensions[EXTENSION].response_cache.clear()
    # Then
    changed = []
    for path, old in before.items():
        new = client.get(path)
        dated = client.get(path, headers={"If-Modified-Since": http_date(THEN + 9 * HOUR)})
        assert dated.status_code == new.status_code, path  # a date is no validator
        known = client.get(path, headers={"If-None-Match": old.headers["ETag"]})
        is_same = new.status_code == 200 and _said(new) == _said(old)
        assert known.status_code == (304 if is_same else new.status_code), path
        assert is_same == (new.headers.get("ETag") == old.headers["ETag"]), path
        changed += [] if is_same else [path]
    assert changed, "it changes nothing"


def _said(answer: TestResponse) -> object:
    data, headers = answer.data, answer.headers
    return AGE.sub(b"", data), [headers.get(name) for name in TAGGED_HEADERS]


@pytest.mark.row("validators")
def test_a_file_is_not_compared_by_its_date(client: FlaskClient) -> None:
    for path in ("/docs", "/docs/explorer.js", "/docs/assets/swagger-ui.css"):
        for headers in ({}, {"If-Modified-Since": http_date(THEN + 9 * HOUR)}):
            with client.get(path, headers=headers) as answer:
                assert answer.status_code == 200
                etag = answer.headers["ETag"]
        with client.get(path, headers={"If-None-Match": etag}) as known:
            assert known.status_code == 304


def test_every_address_with_a_validator_is_tried(app: Flask) -> None:
    rules = {
        rule.rule
        for rule in app.url_map.iter_rules()
        if "GET" in (rule.methods or ()) and rule.endpoint.partition(".")[0] not in NEVER_STORED
    }
    assert rules == PATHS.keys() | STREAMED | FILES


@pytest.mark.row("validators")
def test_headers_that_belong_to_an_answer_are_in_its_tag(client: FlaskClient) -> None:
    known = {
        *("ETag", "Cache-Control", "Vary", "Content-Type", "Content-Length", "Last-Modified"),
        *TAGGED_HEADERS,
    }
    for path in addresses():
        answer = client.get(path)
        fixed = {name for name, value in answer.headers if is_the_same_on_all(name, value)}
        assert {name for name, _ in answer.headers} <= known | fixed, path


def is_the_same_on_all(name: str, value: str) -> bool:
    """Whether it is the same on every answer of ours."""
    return HEADERS.get(name) == value or (name, value) == ("Content-Security-Policy", NOTHING)
