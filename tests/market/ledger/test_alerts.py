"""Changes of the condition, kept until they are told."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo.database import Database

from market.ledger.alerts import MAX_ATTEMPTS, MAX_PENDING, AlertQueue, State, UpdateHealth
from market.storage.database import Document
from tests.harness.alerts import AT, be_patient


@pytest.fixture
def alerts(database: Database[Document]) -> AlertQueue:
    return AlertQueue(database)


def message(seen: UpdateHealth) -> Mapping[str, Any]:
    return {"state": seen.state}


def enter(alerts: AlertQueue, state: State, number: int) -> bool:
    return alerts.add(UpdateHealth(state, AT, number), message)


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        ([("well", 1)], []),
        ([("failing", 2), ("failing", 3)], ["failing"]),
        # Tried again, the failed update is open: neither of these is the end of the trouble.
        ([("failing", 2), ("well", 1), ("stale", 1), ("failing", 3)], ["failing"]),
        ([("failing", 2), ("well", 3), ("failing", 4)], ["failing", "well", "failing"]),
        ([("stale", 1), ("stale", 1), ("well", 2)], ["stale", "well"]),
        ([("stale", 1), ("failing", 2), ("well", 3)], ["stale", "failing", "well"]),
    ],
)
def test_each_change_is_entered_once_in_its_order(
    alerts: AlertQueue, steps: list[tuple[State, int]], told: list[str]
) -> None:
    for state, number in steps:
        enter(alerts, state, number)
    found = []
    while (waiting := alerts.take()) is not None:
        found.append(waiting["state"])
        alerts.mark_delivered(waiting)
    assert found == told


def test_of_many_that_see_a_change_one_enters_it_and_one_tells_it(
    database: Database[Document],
) -> None:
    with ThreadPoolExecutor(8) as threads:
        entered = list(threads.map(lambda _: enter(AlertQueue(database), "failing", 1), range(16)))
        taken = list(threads.map(lambda _: AlertQueue(database).take(), range(16)))
    assert entered.count(True) == 1
    assert [one for one in taken if one] == [{"id": "updates-1", "state": "failing"}]


def test_what_is_not_told_comes_again_later_and_later_and_not_for_ever(
    alerts: AlertQueue, database: Database[Document]
) -> None:
    enter(alerts, "failing", 1)
    enter(alerts, "well", 2)
    pauses = []
    for _ in range(MAX_ATTEMPTS):
        waiting = alerts.take()
        assert waiting is not None
        assert waiting["state"] == "failing"
        assert alerts.take() is None, "it is tried already"
        pauses.append(be_patient(database))
    assert [round(pause / 30) for pause in pauses[:6]] == [1, 2, 4, 8, 16, 20]
    waiting = alerts.take()
    assert waiting is not None
    assert waiting["state"] == "well", "the first is given up"


def test_what_waits_is_bounded(alerts: AlertQueue, database: Database[Document]) -> None:
    for number in range(1, MAX_PENDING + 5):
        enter(alerts, "failing" if number % 2 else "well", number)
    kept = database["notices"].find_one()
    assert kept is not None
    assert [one["id"] for one in kept["waiting"]] == [
        f"updates-{n}" for n in range(5, MAX_PENDING + 5)
    ]


def test_a_clock_that_jumped_back_holds_nothing_up(
    alerts: AlertQueue, database: Database[Document]
) -> None:
    enter(alerts, "failing", 1)
    ahead = datetime.now(UTC) + timedelta(hours=1)
    database["notices"].update_one({}, {"$set": {"not_before": ahead}})
    assert alerts.take() is not None
