"""Reliability: hosts whose clocks differ, and a clock that jumps 12 h ahead and back.

Real workers, beat and API; MongoDB's clock is set as well. NATS keeps the right time: it is linked
statically, and only drops doubles by it.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pymongo.database import Database

from bench.harness.services import server, wait_until
from market.schedule.clock import server_time
from market.schedule.slots import Schedule
from market.storage.database import Document
from settings import ROOT, Settings
from tests.harness.celery_process import WORKER, celery
from tests.harness.shifted_clock import ShiftedClock

API = "import time, api.wsgi; time.sleep(600)"  # an API's worker without its web server

EXPRESSION = "*/5 * * * * *"
SLOTS = Schedule(EXPRESSION)
AHEAD = timedelta(hours=12)


@pytest.fixture
def clock(tmp_path: Path) -> ShiftedClock:
    return ShiftedClock(tmp_path)


@pytest.fixture
def mongodb(clock: ShiftedClock, tmp_path: Path) -> Iterator[str]:
    """One whose clock is set with `clock`, until that is set it is right."""
    with ExitStack() as life:
        with clock.inherited():
            url, _ = life.enter_context(server("mongodb", tmp_path / "mongodb"))
        yield url


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"cron_schedule": EXPRESSION, "coins": "bitcoin,top:5"})


@contextmanager
def host(folder: Path, *, beat: bool) -> Iterator[None]:
    """A worker and an API's process, with or without beat."""
    folder.mkdir()
    with ExitStack() as running, (folder / "api").open("wb") as log:
        running.enter_context(celery(folder / "worker", *WORKER))
        command = [sys.executable, "-c", API]
        api = running.enter_context(subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log))
        running.callback(api.kill)
        if beat:
            running.enter_context(celery(folder / "beat", "beat", "-l", "INFO"))
        yield


def states(database: Database[Document]) -> dict[datetime, str]:
    return {one["slot"]: one["state"] for one in database["updates"].find({"slot": {"$ne": None}})}


def done_after(database: Database[Document], moment: datetime, count: int) -> None:
    def there() -> bool:
        known = states(database).items()
        return sum(slot > moment and state == "done" for slot, state in known) >= count

    wait_until(there, f"{count} slots after {moment:%H:%M:%S} to be done", 60)


def all_done(database: Database[Document], first: datetime, last: datetime) -> None:
    """Every slot from one to another was carried out."""
    known, slot = states(database), first
    while slot <= last:
        assert known.get(slot) == "done", f"{slot:%H:%M:%S} is {known.get(slot)}: {known}"
        slot = SLOTS.following(slot)


def each_once(database: Database[Document]) -> None:
    """No end has the number of another."""
    numbers = [number for one in database["updates"].find() for number in one["numbers"]]
    assert len(numbers) == len(set(numbers))


@pytest.mark.row("clock-ahead")
@pytest.mark.parametrize("seconds", [2, -2])
@pytest.mark.usefixtures("environment", "connection")
def test_hosts_whose_clocks_differ_by_2_s_lose_no_slot(
    database: Database[Document], tmp_path: Path, seconds: float
) -> None:
    # Given two hosts: beat runs on the one whose clock is off
    (tmp_path / "off").mkdir()
    off = ShiftedClock(tmp_path / "off")
    off.set(seconds)
    with ExitStack() as running:
        running.enter_context(host(tmp_path / "right", beat=False))
        with off.inherited():
            running.enter_context(host(tmp_path / "wrong", beat=True))
        # When ten slots pass
        done_after(database, datetime.now(UTC), 1)
        first = SLOTS.following(server_time(database))
        done_after(database, first, 8)
    # Then each of them was carried out, by either
    found = list(database["updates"].find({"slot": {"$gte": first}}))
    all_done(database, first, max(one["slot"] for one in found if one["state"] == "done"))
    assert {one["state"] for one in found} <= {"done", "received", "running"}
    each_once(database)


@pytest.mark.row("clock-ahead")
@pytest.mark.usefixtures("environment", "connection")
def test_a_clock_that_jumps_12_h_ahead_and_back_loses_no_later_slot(
    database: Database[Document], clock: ShiftedClock, tmp_path: Path
) -> None:
    with ExitStack() as running:
        with clock.inherited():
            running.enter_context(host(tmp_path / "host", beat=True))
        done_after(database, datetime.now(UTC), 2)
        stored = list(database["quotes"].distinct("_id"))

        # When the clock of all is ahead for some slots
        clock.set(AHEAD.total_seconds())
        done_after(database, datetime.now(UTC) + AHEAD / 2, 2)
        # and right again
        clock.set(0)
        back = datetime.now(UTC)
        done_after(database, back, 3)

        # Then every slot from then on is carried out
        known = states(database)
        last = max(
            slot for slot, state in known.items() if state == "done" and slot < back + AHEAD / 2
        )
        all_done(database, SLOTS.following(SLOTS.following(back)), last)
        assert set(map(str, stored)) <= {str(one) for one in database["quotes"].distinct("_id")}

        # and those that the wrong clock has ended, once they come
        early = wait_until(
            lambda: sorted(one["slot"] for one in database["updates"].find({"early": True})),
            "what was carried out ahead of its slot to be known",
            70,
        )
        clock.set((early[0] - datetime.now(UTC)).total_seconds() - 3)
        done_after(database, early[-1], 2)
    all_done(database, early[0], early[-1])
    again = list(database["updates"].find({"slot": {"$in": early}}))
    assert all(one["fence"] >= 2 and one["hops"]["claimed"] >= one["slot"] for one in again)
    each_once(database)
