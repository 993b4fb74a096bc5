"""Ingesting: an update is carried out once and announced, whoever dies in between."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import redis as redis_client
from kombu.exceptions import OperationalError

from bench.harness.services import SimulatorControl, free_port, wait_until
from bridge.connection import Connection
from bridge.events import UpdateFinished
from bridge.publisher import publish_update_finished
from bridge.subscriber import subscribe
from market.model.documents import Quote, Update
from market.schedule.slots import Schedule
from tasks import ingest
from tasks.dependencies import Services
from tests.harness.celery_process import WORKER, celery
from tests.harness.worker import in_a_worker

pytestmark = pytest.mark.system


@pytest.fixture
def on(environment: None, database: object, connection: Connection) -> Iterator[Services]:
    with in_a_worker() as made:
        yield made


@pytest.fixture
def heard(connection: Connection) -> list[UpdateFinished]:
    """Every announcement from now on."""
    events: list[UpdateFinished] = []
    subscribe(connection, events.append)

    def listening() -> bool:
        publish_update_finished(connection, UpdateFinished("probe", "done", 0))
        return bool(events)

    wait_until(listening, "the listener")
    return events


def announced(heard: list[UpdateFinished]) -> list[UpdateFinished]:
    return [event for event in heard if event.id != "probe" and event.state != "received"]


def receive(on: Services, name: str) -> None:
    on.ledger.receive(name, trigger="event", slot=None, hops={})


def run(name: str) -> str | None:
    """What the task returns, run here as a worker runs it."""
    state: str | None = ingest.ingest.apply((name,), throw=True).get()
    return state


def test_an_update_is_done_and_announced(on: Services, heard: list[UpdateFinished]) -> None:
    receive(on, "a")
    assert run("a") == "done"
    update = on.ledger.get("a")
    assert update is not None
    assert update["state"] == "done"
    hops = ["received", "started", "claimed", "fetched", "stored", "merged", "finished"]
    assert set(update["hops"]) == set(hops)
    assert [update["hops"][hop] for hop in hops] == sorted(update["hops"].values())
    assert update["counts"]["stored"] == Quote.objects.count() >= 20
    assert set(Quote.objects.distinct("source")) == {"simulator"}
    wait_until(lambda: announced(heard), "the announcement")
    stored = update["counts"]["stored"]
    # The first while the update was being closed: what is kept elsewhere is old from then on.
    told = [UpdateFinished("a", state, stored) for state in ("received", "done")]
    assert [event for event in heard if event.id == "a"] == told


def test_a_large_update_goes_on_with_its_next_part(
    on: Services,
    heard: list[UpdateFinished],
    redis: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given two pages, of which a run takes one: that of the ids, then that of the greatest
    monkeypatch.setattr(on, "max_pages", 1)
    receive(on, "a")
    with redis_client.Redis.from_url(redis) as client:
        assert run("a") == "received"
        assert client.llen("updates") == 1  # the next part's task, for whichever worker is free
        assert run("a") == "done"
        assert client.llen("updates") == 1
    wait_until(lambda: announced(heard), "the announcement")
    rest = Quote.objects.count() - 2
    told = [(news.state, news.stored) for news in heard if news.id == "a"]
    assert told == [("received", 2), ("received", rest), ("done", rest)]


def test_without_redis_the_next_part_is_left_to_the_sweeper(
    on: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(*_: object, **__: object) -> None:
        raise OperationalError("no Redis")

    monkeypatch.setattr(on, "max_pages", 1)
    monkeypatch.setattr(ingest.ingest, "apply_async", lost)
    receive(on, "a")
    assert run("a") == "received"


@pytest.mark.row("clock-ahead")
def test_a_task_that_comes_before_its_slot_waits_for_it(on: Services, redis: str) -> None:
    slot = on.ledger.now() + timedelta(seconds=1.5)
    on.schedule = Schedule("* * * * * *")
    on.ledger.receive("a", trigger="schedule", slot=slot.replace(microsecond=0), hops={})
    Update.objects(id="a").update(set__slot=slot)
    assert run("a") is None
    with redis_client.Redis.from_url(redis) as client:
        [message] = [json.loads(one) for one in client.lrange("updates", 0, -1)]
    eta = datetime.fromisoformat(message["headers"]["eta"])
    assert abs(eta - slot) < timedelta(seconds=1)
    update = on.ledger.get("a")
    assert update is not None
    assert (update["state"], update["fence"]) == ("received", 0)


def test_an_update_that_failed_is_announced_as_such(
    on: Services, heard: list[UpdateFinished], simulator: SimulatorControl
) -> None:
    simulator.fault("body", body="[]", times=None)
    receive(on, "a")
    assert run("a") == "failed"
    wait_until(lambda: announced(heard), "the announcement")
    assert announced(heard) == [UpdateFinished("a", "failed", 0)]


def test_an_update_put_off_is_no_news(
    on: Services, heard: list[UpdateFinished], simulator: SimulatorControl
) -> None:
    simulator.fault("rate_limited", retry_after=119, times=None)
    receive(on, "a")
    assert run("a") == "received"
    publish_update_finished(on.nats, UpdateFinished("last", "done", 0))
    wait_until(lambda: announced(heard), "an announcement")
    assert [event.id for event in announced(heard)] == ["last"]


@pytest.mark.row("delivered-often")
def test_of_two_tasks_at_once_one_carries_it_out(on: Services) -> None:
    receive(on, "a")
    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(run, ["a", "a"]), key=str) == [None, "done"]
    update = on.ledger.get("a")
    assert update is not None
    assert update["fence"] == 1


def test_what_the_ledger_does_not_know_is_not_carried_out(on: Services) -> None:
    assert run("never heard of") is None
    assert Quote.objects.count() == 0


def test_a_closed_update_is_not_carried_out_again(on: Services) -> None:
    receive(on, "a")
    assert [run("a"), run("a")] == ["done", None]


def test_an_update_is_done_though_nats_is_out_of_reach(
    on: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(Connection(f"nats://127.0.0.1:{free_port()}", "test")) as nowhere:
        monkeypatch.setattr(on, "nats", nowhere)
        receive(on, "a")
        assert run("a") == "done"


@pytest.mark.row("worker-killed")
def test_an_update_whose_worker_was_killed_ends_once(
    on: Services,
    heard: list[UpdateFinished],
    simulator: SimulatorControl,
    redis: str,
    tmp_path: Path,
) -> None:
    simulator.fault("slow", delay=60, times=None)
    receive(on, "a")
    with celery(tmp_path / "killed", *WORKER) as kill:
        ingest.ingest.apply_async(("a",))
        wait_until(lambda: Update.objects(id="a").get().state == "running", "the claim", 20)
        kill()
    simulator.clear()
    with redis_client.Redis.from_url(redis) as client:
        assert client.llen("updates") == 0  # its task is lost, or held back for minutes
    assert Update.objects(id="a").get().state == "running"
    with celery(tmp_path / "worker", *WORKER), celery(tmp_path / "beat", "beat"):
        wait_until(lambda: announced(heard), "the update to end", 35)
    update = on.ledger.get("a")
    assert update is not None
    assert (update["state"], update["fence"]) == ("done", 2)
    assert announced(heard) == [UpdateFinished("a", "done", update["counts"]["stored"])]
    assert Quote.objects.count() == update["counts"]["stored"] >= 20
