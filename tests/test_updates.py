"""The ledger over HTTP."""

from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from pydantic import SecretStr

from api import updates
from api.app import create_app
from api.inbox import Inbox
from api.prepare import prepare
from api.services import EXTENSION
from market.ledger import Ledger
from market.quotes import LeftOut
from settings import Settings
from tests.support import free_port, wait_until

NOW = datetime.now(UTC)


def closed(ledger: Ledger, name: str, state: str, error: str | None = None) -> None:
    """Enters an update, and ends it as a worker does."""
    ledger.receive(name, trigger="event", slot=None, hops={})
    close(ledger, name, state, error)


def close(ledger: Ledger, name: str, state: str, error: str | None = None) -> None:
    claim = ledger.claim(name, "w", NOW)
    assert claim is not None
    ledger.close(
        claim,
        state=state,
        hops={"fetched": NOW},
        counts={"asked": 2, "stored": 1},
        left_out=[LeftOut("odd", "its price is null")],
        error=error,
    )


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
    inbox = Inbox(app.extensions[EXTENSION])
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
    monkeypatch.setattr("api.inbox._start", lambda name: close(ledger, name, state, error))
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
