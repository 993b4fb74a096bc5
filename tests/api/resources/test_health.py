"""Whether the system says how it is."""

import time
from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from pydantic import SecretStr

from api.app import create_app
from api.extensions import EXTENSION
from bench.harness.services import free_port
from bridge.events import UpdateRequested
from bridge.publisher import publish
from cli.migrate import prepare
from market.ledger.ledger import Ledger
from market.storage.database import disconnect
from settings import Settings
from settings.disk_space import data_folder
from tests.harness.ledger_entries import closed
from tests.harness.small_disk import small_disk

SERVERS = {"mongodb": "mongodb://", "nats": "nats://", "redis": "redis://"}


@pytest.mark.usefixtures("database")
def test_ready_with_everything_there(
    client: FlaskClient, settings: Settings, ledger: Ledger
) -> None:
    prepare(settings)
    closed(ledger, "one", "done")
    answer = client.get("/ready")
    assert answer.status_code == 200
    assert answer.json is not None
    assert answer.json["ready"] is True
    assert 0 <= answer.json["age_seconds"] < 60
    assert datetime.fromisoformat(answer.json["next_slot"]) > datetime.now(UTC)
    assert (answer.json["pending_events"], answer.json["dead_letters"]) == (0, 0)
    assert answer.json["consumer_lag_seconds"] == 0


@pytest.mark.usefixtures("database")
def test_what_waits_for_a_consumer_is_counted_and_timed(
    app: Flask, client: FlaskClient, settings: Settings
) -> None:
    # Given events that no process takes
    prepare(settings)
    nats = app.extensions[EXTENSION].nats
    for number in range(2):
        publish(nats, UpdateRequested(f"waits-{number}", datetime.now(UTC)))
    # When, then
    waiting = client.get("/ready").json or {}
    assert waiting["pending_events"] == 2
    assert 0 < waiting["consumer_lag_seconds"] < 10
    longer = client.get("/ready").json or {}
    assert longer["consumer_lag_seconds"] > waiting["consumer_lag_seconds"]


@pytest.fixture(params=SERVERS)
def without(request: pytest.FixtureRequest, settings: Settings) -> Any:
    """An API one of whose servers is down, with that server's name."""
    prepare(settings)
    name = str(request.param)
    field = "mongodb_uri" if name == "mongodb" else f"{name}_url"
    nowhere = SecretStr(f"{SERVERS[name]}127.0.0.1:{free_port()}")
    app = create_app(settings.model_copy(update={field: nowhere}))
    yield name, app.test_client()
    app.extensions[EXTENSION].nats.close()
    disconnect()


def test_what_is_down_is_named_and_health_answers_all_the_same(
    without: tuple[str, FlaskClient],
) -> None:
    name, client = without
    answer = client.get("/ready")
    assert answer.status_code == 503
    assert answer.json is not None
    states = {server: one["ready"] for server, one in answer.json["dependencies"].items()}
    assert states == {server: server != name for server in SERVERS} | {"disk": True}

    before = time.monotonic()
    health = client.get("/health")
    assert time.monotonic() - before < 2
    assert health.json is not None
    assert health.json["status"] == "OK"
    assert datetime.fromisoformat(health.json["timestamp"]).tzinfo is not None


@pytest.mark.usefixtures("database")
def test_a_full_disk_is_named_with_what_to_do(client: FlaskClient, settings: Settings) -> None:
    prepare(settings)
    folder = data_folder(settings, "nats")
    with small_disk(folder, 8) as disk:
        assert client.get("/ready").status_code == 200
        disk.fill()
        answer = client.get("/ready")
        assert answer.status_code == 503
        assert answer.json is not None
        assert answer.json["dependencies"]["disk"] == {
            "ready": False,
            "error": f"{folder} is on a disk with 0 MB free, 2 MB are needed: make room there, "
            "and KoinX continues automatically",
        }
        refused = client.post("/v1/updates")
        assert refused.status_code == 503
        assert refused.json is not None
        assert f"{folder} is on a disk with 0 MB free" in refused.json["message"]
        disk.clear()
        assert client.get("/ready").status_code == 200


@pytest.mark.usefixtures("database")
def test_a_full_disk_for_logs_is_named_but_stops_nothing(
    client: FlaskClient, settings: Settings
) -> None:
    prepare(settings)
    with small_disk(settings.koinx_home / "logs", 8) as disk:
        disk.fill()
        answer = client.get("/ready")
        assert answer.status_code == 200
        assert answer.json is not None
        assert answer.json["dependencies"]["disk"]["ready"] is True
        assert str(disk.folder) in answer.json["dependencies"]["disk"]["error"]
