"""The mending of history over HTTP."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from pymongo.database import Database

from bench.harness.services import keep, quote
from market.gap_repair.queue import RepairQueue, RepairRequest
from market.schedule.slots import Schedule
from market.storage.database import REPAIRS, Document
from market.storage.quote_store import QuoteStore

START = datetime(2026, 11, 20, tzinfo=UTC)
END = START + timedelta(hours=3)
SCHEDULE = Schedule("*/15 * * * *")


@pytest.fixture
def repairs(database: Database[Document], store: QuoteStore) -> RepairQueue:
    """Three repairs: bitcoin's ended with a slot that stays empty, two of ethereum wait."""
    keep(store, quote("bitcoin", 1.0), quote("ethereum", 1.0))
    made = RepairQueue(database)
    made.add([RepairRequest("bitcoin", START, END, 0)], START)
    repair = made.claim()
    assert repair is not None
    made.finish(repair, empty=12, repaired={"300": 8, "3600": 3}, now=END)
    made.add(
        [
            RepairRequest("ethereum", START, END, 0),
            RepairRequest("ethereum", END, END + timedelta(hours=1), 1),
        ],
        END,
    )
    return made


def ask(client: FlaskClient, **body: Any) -> Any:
    return client.post("/v1/repairs", json=body)


@pytest.mark.usefixtures("repairs")
def test_a_gap_that_stays_is_told(client: FlaskClient) -> None:
    [one] = client.get("/v1/repairs?coin=bitcoin").json or []
    assert (one["state"], one["empty"], one["missing"]) == ("done", 12, 1)
    assert one["mended"] == {"300": 8, "3600": 3}
    assert (one["start"], one["end"]) == (START.isoformat(), END.isoformat())
    assert one["source"] == "simulator"


@pytest.mark.usefixtures("repairs")
def test_repairs_are_listed_by_state_and_page(client: FlaskClient) -> None:
    waiting = client.get("/v1/repairs?state=waiting").json or []
    assert [(one["coin"], one["missing"]) for one in waiting] == [("ethereum", None)] * 2
    assert len(client.get("/v1/repairs?page_size=1&page=3").json or []) == 1
    assert client.get("/v1/repairs?state=broken").status_code == 422


@pytest.mark.usefixtures("repairs")
def test_progress_is_the_share_that_ended(client: FlaskClient) -> None:
    found = client.get("/v1/repairs/progress").json or {}
    assert found == {
        "waiting": 2,
        "running": 0,
        "done": 1,
        "failed": 0,
        "progress": pytest.approx(1 / 3),
        "paused_since": None,
    }


def test_progress_says_since_when_repairs_are_paused(
    client: FlaskClient, database: Database[Document]
) -> None:
    RepairQueue(database).pause(START)
    told = client.get("/v1/repairs/progress").json or {}
    assert told["paused_since"] == START.isoformat()


@pytest.mark.usefixtures("database")
def test_progress_of_nothing_is_null(client: FlaskClient) -> None:
    assert (client.get("/v1/repairs/progress").json or {})["progress"] is None


def test_a_stretch_that_is_asked_for_is_entered_once(
    client: FlaskClient, repairs: RepairQueue, database: Database[Document]
) -> None:
    body = {
        "coins": ["bitcoin", "ethereum"],
        "from": "2026-11-01T00:00:00Z",
        "to": "2026-11-02T00:00:00+00:00",
    }
    first = ask(client, **body)
    assert first.status_code == 202
    assert first.json["repairs"] == 2
    assert ask(client, **body).json["repairs"] == 0
    stored = database[REPAIRS].find_one({"coin": "bitcoin", "state": "waiting"})
    assert stored is not None
    assert (stored["start"], stored["end"]) == (
        datetime(2026, 11, 1, tzinfo=UTC),
        datetime(2026, 11, 2, tzinfo=UTC),
    )


@pytest.mark.usefixtures("repairs")
def test_without_times_it_is_what_a_hundred_records_need(client: FlaskClient) -> None:
    told = ask(client, coins=["bitcoin"]).json
    assert datetime.fromisoformat(told["end"]) == SCHEDULE.current(datetime.now(UTC))
    assert datetime.fromisoformat(told["end"]) - datetime.fromisoformat(told["start"]) == timedelta(
        hours=32
    )


@pytest.mark.usefixtures("repairs")
@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        ({"coins": ["nothing"]}, 404, "'nothing' is not collected"),
        ({"coins": []}, 422, "coins"),
        ({"coins": ["bitcoin"] * 251}, 422, "coins"),
        ({"coins": ["a\\nb"]}, 404, "is not collected"),
        ({"coins": ["a\nb"]}, 422, "is not a coin's id"),
        ({}, 422, "coins"),
        ({"coins": ["bitcoin"], "from": "2026-11-22"}, 422, "2026-11-22"),
        ({"coins": ["bitcoin"], "from": "2100-01-01T00:00:00Z"}, 422, "it must be before to"),
        ({"coins": ["bitcoin"], "from": "2015-01-01T00:00:00Z"}, 422, "at most 40000 are allowed"),
    ],
)
def test_what_cannot_be_mended_is_refused_with_its_value(
    client: FlaskClient, body: dict[str, Any], status: int, told: str
) -> None:
    answer = ask(client, **body)
    assert answer.status_code == status
    assert told in answer.get_data(as_text=True)


@pytest.mark.usefixtures("repairs")
def test_a_page_of_another_host_may_not_ask(client: FlaskClient) -> None:
    answer = client.post(
        "/v1/repairs", json={"coins": ["bitcoin"]}, headers={"Origin": "http://evil.example"}
    )
    assert answer.status_code == 403
