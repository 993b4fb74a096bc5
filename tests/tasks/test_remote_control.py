"""What a worker can be asked beyond Celery's own, asked in this process."""

from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from pydantic import SecretStr
from pymongo.database import Database

from bench.harness.services import free_port
from market.gap_repair.queue import RepairQueue
from market.ledger.ledger import Ledger
from market.storage.database import Document
from settings import Settings
from tasks import remote_control
from tests.harness.ledger_entries import closed


@pytest.fixture
def in_worker(environment: None, database: Database[Document]) -> Iterator[Database[Document]]:
    yield database


def test_the_open_updates_are_those_that_are_not_closed(
    in_worker: Database[Document], ledger: Ledger
) -> None:
    assert remote_control.open_updates(None) == {}
    closed(ledger, "over", "done")
    ledger.receive("open", trigger="event", slot=None, hops={})
    told = remote_control.open_updates(None)
    assert told.keys() == {"open"}
    assert told["open"]["state"] == "received"
    assert told["open"]["received_at"].endswith("+00:00")


def test_repairs_are_paused_and_go_on(in_worker: Database[Document]) -> None:
    assert remote_control.pause_repairs(None)["ok"].startswith("repairs are paused since 20")
    assert RepairQueue(in_worker).paused_since() is not None
    assert remote_control.resume_repairs(None) == {"ok": "repairs go on"}
    assert RepairQueue(in_worker).paused_since() is None


def test_drain_takes_no_new_updates() -> None:
    cancelled: list[str] = []
    consumer = SimpleNamespace(
        call_soon=lambda call, queue: call(queue), cancel_task_queue=cancelled.append
    )
    assert remote_control.drain(SimpleNamespace(consumer=consumer)) == {
        "ok": "takes no new updates, 0 in hand"
    }
    assert cancelled == ["updates"]


def test_a_mongodb_that_is_down_is_told_without_its_password(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = SecretStr(f"mongodb://user:secret@127.0.0.1:{free_port()}")
    down = settings.model_copy(update={"mongodb_uri": nowhere})
    monkeypatch.setattr(remote_control, "load", lambda: down)
    for command in (
        remote_control.open_updates,
        remote_control.pause_repairs,
        remote_control.resume_repairs,
    ):
        told = command(None)
        assert told == {"error": "MongoDB does not answer (ServerSelectionTimeoutError)"}
