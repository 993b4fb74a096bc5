"""One last success for all who tell of it: `/ready`, the metrics and the webhook."""

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from flask.testing import FlaskClient
from pymongo.database import Database

from market.ledger.alerts import HealthMonitor
from market.ledger.event_log import EventLog
from market.ledger.ledger import Ledger, UpdateClaim
from market.schedule.slots import Schedule
from market.storage.database import Document
from tasks.notify import message
from tests.harness.mongodb_profiler import profiled, scans

SLOT = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)


def claimed(ledger: Ledger, name: str, *, is_new: bool = True) -> UpdateClaim:
    if is_new:
        ledger.receive(name, trigger="schedule", slot=SLOT, hops={})
    claim = ledger.claim(name, "worker", datetime.now(UTC))
    assert claim is not None
    return claim


def close(ledger: Ledger, claim: UpdateClaim, state: str = "done") -> None:
    ledger.close(claim, state=state, hops={}, counts={}, skipped=[], error=None)
    time.sleep(0.002)  # the ledger's times are whole milliseconds


def reopened(ledger: Ledger) -> str:
    """A slot that failed is tried again, after an update that came in later."""
    close(ledger, claimed(ledger, "slot"), "failed")
    close(ledger, claimed(ledger, "asked for"))
    assert ledger.reopen("slot", failed=True)
    close(ledger, claimed(ledger, "slot", is_new=False))
    return "slot"


def overtaken(ledger: Ledger) -> str:
    """An update that came in first ends last."""
    slow = claimed(ledger, "slow")
    time.sleep(0.002)
    close(ledger, claimed(ledger, "quick"))
    close(ledger, slow)
    return "slow"


def reopened_in_vain(ledger: Ledger) -> str:
    """A slot that failed fails again: the other update stays the last success."""
    close(ledger, claimed(ledger, "slot"), "failed")
    close(ledger, claimed(ledger, "asked for"))
    assert ledger.reopen("slot", failed=True)
    close(ledger, claimed(ledger, "slot", is_new=False), "failed")
    return "asked for"


def taken_over(ledger: Ledger) -> str:
    """A slot that was entered as missed is carried out after all."""
    ledger.enter_missed({"slot": SLOT})
    time.sleep(0.002)
    close(ledger, claimed(ledger, "asked for"))
    assert ledger.reopen("slot")
    close(ledger, claimed(ledger, "slot", is_new=False))
    return "slot"


@pytest.mark.parametrize("happened", [reopened, overtaken, reopened_in_vain, taken_over])
def test_all_tell_of_the_same(
    client: FlaskClient,
    database: Database[Document],
    ledger: Ledger,
    happened: Callable[[Ledger], str],
) -> None:
    # When
    update = ledger.get(happened(ledger))
    # Then
    assert update is not None
    expected = update["finished_at"]
    ready = client.get("/ready").json
    assert ready is not None
    assert datetime.fromisoformat(ready["last_success"]) == expected
    asked = datetime.now(UTC)
    found = re.search(
        r"^koinx_last_success_age_seconds (\S+)$", client.get("/metrics").text, re.MULTILINE
    )
    assert found is not None
    age = timedelta(seconds=float(found[1]))
    assert asked - expected <= age <= datetime.now(UTC) - expected
    condition = HealthMonitor(database, Schedule("*/15 * * * *")).check(datetime.now(UTC))
    assert condition is not None
    assert message(condition, "koinx")["last_success"] == expected.isoformat()
    assert EventLog(database).newest_good(0) == update["number"]


def test_it_is_read_by_its_index(database: Database[Document], ledger: Ledger) -> None:
    for number in range(5):
        close(ledger, claimed(ledger, f"update {number}"))
    [read] = profiled(database, ledger.last_success)
    assert not scans(read)
    assert read["keysExamined"] <= 2
