"""Reliability: two beats run, one is killed, Redis is killed: no slot twice, and none left out."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pymongo.database import Database

from bench.harness.services import free_port, server, wait_until
from market.storage.database import Document
from settings import ROOT, Settings
from tests.harness.celery_process import WORKER, celery

API = "import time, api.wsgi; time.sleep(600)"  # an API's worker without its web server

SLOT = timedelta(seconds=1)


class Redis:
    """A Redis that can be killed, and comes back at its address with what it had on its disk."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._port = free_port()
        self._life = ExitStack()

    def start(self) -> str:
        url, _ = self._life.enter_context(server("redis", self._home, self._port))
        return url

    def kill(self) -> None:
        self._life.close()


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[Redis]:
    made = Redis(tmp_path / "redis")
    yield made
    made.kill()


@pytest.fixture
def redis(own_redis: Redis) -> str:
    return own_redis.start()


@pytest.fixture
def settings(settings: Settings) -> Settings:
    every_second = {"cron_schedule": "* * * * * *", "coins": "bitcoin,top:5"}
    return settings.model_copy(update=every_second)


@contextmanager
def api(output: Path) -> Iterator[None]:
    with (
        output.open("wb") as file,
        subprocess.Popen([sys.executable, "-c", API], cwd=ROOT, stdout=file, stderr=file) as one,
    ):
        try:
            yield
        finally:
            one.kill()


def slots(database: Database[Document], state: str | None = None) -> list[datetime]:
    """The slots that have an update (of that state), in their order."""
    which = {"state": state} if state else {}
    return sorted(update["slot"] for update in database["updates"].find(which))


def gaps(found: list[datetime]) -> list[datetime]:
    return [slot for slot in found[:-1] if slot + SLOT not in found]


def done_from_now(database: Database[Document], count: int) -> None:
    now = datetime.now(UTC)
    wait_until(
        lambda: sum(slot > now for slot in slots(database, "done")) >= count,
        f"{count} slots after {now:%H:%M:%S} to be done",
        30,
    )


def sends(log: Path) -> bool:
    return "Sending due task publish-update" in log.read_text()


@pytest.mark.row("beat-killed")
@pytest.mark.row("redis-killed")
@pytest.mark.usefixtures("environment", "connection")
def test_each_slot_has_one_update_whatever_ends(
    own_redis: Redis, database: Database[Document], tmp_path: Path
) -> None:
    with ExitStack() as running:
        # Given two beats, both of which send each slot's event
        logs = [tmp_path / "beat 1", tmp_path / "beat 2"]
        running.enter_context(celery(tmp_path / "worker", *WORKER))
        running.enter_context(api(tmp_path / "api"))
        kill_one, _ = (running.enter_context(celery(log, "beat", "-l", "INFO")) for log in logs)
        wait_until(lambda: all(map(sends, logs)), "both to send", 30)
        done_from_now(database, 2)

        # When one of them is killed, the slots go on
        kill_one()
        done_from_now(database, 2)

        # When Redis is killed, and some slots pass, they go on with the first one after it is back
        own_redis.kill()
        killed = datetime.now(UTC)
        wait_until(lambda: datetime.now(UTC) > killed + 3 * SLOT, "some slots to pass")
        own_redis.start()
        # As the supervisor starts one, if the first does not find back.
        running.enter_context(celery(tmp_path / "another worker", *WORKER))
        done_from_now(database, 1)

        # Then what beat calls once a minute enters those that nobody sent
        call = "call", "tasks.schedule.ensure_slot"
        running.enter_context(celery(tmp_path / "call", *call))
        wait_until(lambda: not gaps(slots(database)), "no slot to be left out")
    found = slots(database)
    assert len(found) == len(set(found))
    assert {one["fence"] for one in database["updates"].find({"state": "done"})} == {1}
    assert slots(database, "missed")
