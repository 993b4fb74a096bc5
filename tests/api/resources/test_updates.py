"""The ledger over HTTP."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from pydantic import SecretStr
from pymongo.database import Database

from api.app import create_app
from api.events.update_consumer import UpdateConsumer
from api.extensions import EXTENSION
from api.protection.rate_limit import RateLimiter
from api.resources import updates
from bench.harness.services import free_port, wait_until
from bridge.events import ID
from cli.migrate import prepare
from market.ledger.ledger import Ledger
from market.storage.database import Document
from settings import Settings
from tests.harness.ledger_entries import NOW, close, closed


def test_one_update_shows_hops_counts_and_what_was_left_out(
    client: FlaskClient, ledger: Ledger
) -> None:
    closed(ledger, "one", "done")
    update = client.get("/v1/updates/one").json
    assert update is not None
    assert update["state"] == "done"
    assert update["counts"] == {"asked": 2, "stored": 1}
    assert update["left_out"] == [{"coin": "odd", "reason": "its price is null"}]
    assert set(update["hops"]) == {"received", "started", "claimed", "fetched", "finished"}
    assert datetime.fromisoformat(update["finished_at"]).tzinfo is not None
    assert update["source"] == "simulator"


def test_one_update_shows_the_ticks_that_it_held(client: FlaskClient, ledger: Ledger) -> None:
    closed(ledger, "none", "done")
    ledger.receive("some", trigger="event", slot=None, hops={})
    claim = ledger.claim("some", "w", NOW)
    assert claim is not None
    tick = {"coin": "odd", "at": NOW, "price": 950000.0, "state": "held", "reason": "too high"}
    ledger.close(
        claim, state="done", hops={}, counts={"held": 1}, skipped=[], error=None, ticks=[tick]
    )
    (shown,) = (client.get("/v1/updates/some").json or {})["ticks"]
    at = datetime.fromisoformat(shown.pop("at"))
    assert abs(at - NOW) < timedelta(milliseconds=1)
    assert shown == {name: tick[name] for name in ("coin", "price", "state", "reason")}
    assert (client.get("/v1/updates/none").json or {})["ticks"] == []


def test_the_ledger_is_listed_newest_first(client: FlaskClient, ledger: Ledger) -> None:
    for name in ("first", "second", "third"):
        closed(ledger, name, "done")
    answer = client.get("/v1/updates?page_size=2")
    assert [update["id"] for update in answer.json or []] == ["third", "second"]
    answer = client.get("/v1/updates?page_size=2&page=2")
    assert [update["id"] for update in answer.json or []] == ["first"]


@pytest.mark.parametrize("name", ["nope", "x" * 200, "a%00b"])
def test_an_unknown_update_is_a_404(client: FlaskClient, name: str) -> None:
    assert client.get(f"/v1/updates/{name}").status_code == 404


@pytest.fixture
def consuming(app: Flask, settings: Settings) -> Any:
    """The API with its consumer; there is still no worker."""
    prepare(settings)
    inbox = UpdateConsumer(app.extensions[EXTENSION])
    inbox.start()
    yield app.test_client()
    inbox.stop()


def test_an_update_that_was_asked_for_is_accepted_and_can_be_watched(
    consuming: FlaskClient, ledger: Ledger
) -> None:
    answer = consuming.post("/v1/updates")
    assert answer.status_code == 202
    assert answer.json is not None
    name = answer.json["id"]
    wait_until(lambda: ledger.get(name), "the event to reach the ledger")
    watched = consuming.get(answer.headers["Location"]).json
    assert watched is not None
    assert (watched["state"], watched["trigger"]) == ("received", "request")


def test_the_same_key_gives_the_same_update_in_whichever_process_and_state(
    consuming: FlaskClient, settings: Settings, ledger: Ledger
) -> None:
    # Given two processes, of which one consumes
    other = create_app(settings)
    key = {"Idempotency-Key": '"8e03978e-40d5-43dd-bc93-6894a57f9324"'}
    # When, then
    answers = [
        client.post("/v1/updates", headers=key) for client in (consuming, other.test_client())
    ]
    [name] = {answer.json["id"] for answer in answers if answer.json}
    close(ledger, name, "failed", "no answer")
    answers.append(other.test_client().post("/v1/updates", headers=key))
    assert {answer.status_code for answer in answers} == {202}
    assert {answer.headers["Location"] for answer in answers} == {f"/v1/updates/{name}"}
    assert [answer.json["state"] for answer in answers if answer.json] == [
        *("received", "received", "failed")
    ]
    update = consuming.get(f"/v1/updates/{name}").json
    assert update is not None
    assert (update["trigger"], update["state"]) == ("request", "failed")
    # ... and another key another, as does each call without one
    for headers in ({"Idempotency-Key": "~"}, {}, {}):
        assert consuming.post("/v1/updates", headers=headers).status_code == 202
    wait_until(lambda: ledger.count() == 4, "all events to reach the ledger")
    other.extensions[EXTENSION].nats.close()


def test_of_many_calls_with_one_key_one_update_comes(
    consuming: FlaskClient, app: Flask, ledger: Ledger
) -> None:
    def ask(_: int) -> Any:
        return app.test_client().post("/v1/updates", headers={"Idempotency-Key": "k"}).json

    with ThreadPoolExecutor(8) as threads:
        names = {answer["id"] for answer in threads.map(ask, range(16))}
    assert len(names) == 1
    assert ledger.count() == 1
    [update] = ledger.newest()
    assert re.fullmatch(ID, update["_id"])


@pytest.mark.parametrize("key", ["", "x" * 256, "a\x00b", "a\tb", "schl\xfcssel", "\xff\xfe"])
def test_a_key_that_is_none_is_named(client: FlaskClient, key: str) -> None:
    answer = client.post("/v1/updates", headers={"Idempotency-Key": key})
    assert answer.status_code == 422
    assert answer.json is not None
    assert "Idempotency-Key" in answer.json["message"]
    assert "use 1 to 255 printable ASCII characters" in answer.json["message"]


def test_a_call_with_a_known_key_counts_as_any_other(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RateLimiter, "wait", lambda *_: 7)
    answer = client.post("/v1/updates", headers={"Idempotency-Key": "k"})
    assert answer.status_code == 429


def test_the_list_can_be_of_a_state_or_a_trigger(client: FlaskClient, ledger: Ledger) -> None:
    closed(ledger, "good", "done")
    closed(ledger, "bad", "failed")
    ledger.enter_missed({"slot": NOW})

    def listed(query: str) -> list[str]:
        answer = client.get(f"/v1/updates?{query}")
        names = [update["id"] for update in answer.json or []]
        assert f'"total": {len(names)}' in answer.headers["X-Pagination"]
        return names

    assert listed("state=failed") == ["bad"]
    assert set(listed("trigger=event")) == {"good", "bad"}
    assert listed("trigger=schedule&state=missed") == ["slot"]
    assert listed("trigger=schedule&state=done") == []
    assert set(listed("")) == {"good", "bad", "slot"}


@pytest.mark.parametrize(
    "query", ["state=lost", "trigger=", "state=%00", "state[$gt]=&trigger=%ff"]
)
def test_a_state_or_trigger_that_is_none_is_a_422(client: FlaskClient, query: str) -> None:
    assert client.get(f"/v1/updates?{query}").status_code == 422


def test_an_open_update_shows_how_far_it_is(
    client: FlaskClient, ledger: Ledger, database: Database[Document]
) -> None:
    def shown() -> tuple[Any, ...]:
        update = client.get("/v1/updates/a").json
        assert update is not None
        names = ("state", "stage", "progress", "counts", "number")
        return tuple(update[name] for name in names)

    ledger.receive("a", trigger="event", slot=None, hops={})
    assert shown() == ("received", "waiting", 0, {}, None)
    claim = ledger.claim("a", "w", NOW)
    assert claim is not None
    assert shown() == ("running", "fetching", 0, {}, None)
    ledger.report_progress(claim, "fetching", 0.5)
    wait_until(lambda: shown() == ("running", "fetching", 0.4, {}, None), "half of the pages")
    ledger.report_progress(claim, "storing", 0, {"asked": 7})
    wait_until(lambda: shown() == ("running", "storing", 0.8, {"asked": 7}, None), "the counts")
    ledger.postpone(claim, 60, "wait")
    assert shown() == ("received", "postponed", 0, {}, None)
    database["updates"].update_one({"_id": "a"}, {"$set": {"not_before": NOW}})
    close(ledger, "a", "failed")
    assert shown() == ("failed", "ended", 1, {"asked": 2, "stored": 1}, 1)
    ledger.reopen("a", failed=True)
    assert shown()[-1] is None


def test_an_update_that_does_not_end_in_time_is_named(
    consuming: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(updates, "WAIT_SECONDS", 0.3)
    answer = consuming.post("/trigger-update")
    assert answer.status_code == 504
    assert answer.json is not None
    assert "see /v1/updates/request-" in answer.json["error"]


@pytest.mark.parametrize(
    ("state", "error", "status", "key", "text"),
    [
        ("done", None, 200, "message", "Cryptocurrency stats updated successfully"),
        ("failed", "the source is down", 502, "error", "failed: the source is down"),
    ],
)
def test_the_wait_ends_with_the_update(
    consuming: FlaskClient,
    ledger: Ledger,
    monkeypatch: pytest.MonkeyPatch,
    state: str,
    error: str | None,
    status: int,
    key: str,
    text: str,
) -> None:
    # The worker's part, in this process: as soon as the event is in the ledger it is closed.
    monkeypatch.setattr(
        "api.events.update_consumer._start", lambda name: close(ledger, name, state, error)
    )
    answer = consuming.post("/trigger-update")
    assert answer.status_code == status
    assert answer.json is not None
    assert answer.json[key].endswith(text)


def test_with_nats_down_it_is_a_503(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(updates, "PUBLISH_SECONDS", 0.5)
    nowhere = SecretStr(f"nats://127.0.0.1:{free_port()}")
    app = create_app(settings.model_copy(update={"nats_url": nowhere}))
    answer = app.test_client().post("/v1/updates")
    assert answer.status_code == 503
    assert answer.json is not None
    assert "NATS" in answer.json["message"]
    app.extensions[EXTENSION].nats.close()
