"""Rows of the reliability page, made to happen on a whole system."""

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime, timedelta
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import nats
import pytest
import redis as redis_client
from pymongo import MongoClient

from api.events.update_waiters import MAX_WAITING_REQUESTS
from api.resources.updates import WAIT_SECONDS
from bench.harness.services import SimulatorControl, wait_until
from bench.harness.system import System, running

DELIVERIES = 1000
WORKERS = 4
REFUSED_SECONDS = 3.0
ON_TIME = timedelta(seconds=10)


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    home = tmp_path_factory.mktemp("outages")
    with running(home, "--demo", COINS="top:20", API_WORKERS=str(WORKERS)) as made:
        yield made


def publish(system: System, ids: list[str]) -> None:
    """Sends an event for each id, without a message id, so that JetStream keeps them all."""

    async def send() -> None:
        client = await nats.connect(system.server("nats"))
        js = client.jetstream()
        await asyncio.gather(
            *(
                js.publish("crypto.update", f'{{"trigger":"update","id":"{one}"}}'.encode())
                for one in ids
            )
        )
        await client.drain()

    asyncio.run(send())


def update(system: System, name: str) -> dict[str, Any]:
    answer = system.get(f"/v1/updates/{name}")
    found: dict[str, Any] = answer.json() if answer.ok else {}
    return found


def is_done(system: System, name: str) -> bool:
    return update(system, name).get("state") == "done"


def simulator(system: System) -> SimulatorControl:
    return system.market()


@pytest.mark.row("delivered-often")
def test_many_deliveries_of_one_event_make_one_update_and_one_set_of_quotes(
    system: System,
) -> None:
    for _ in range(0, DELIVERIES, 100):
        publish(system, ["delivered-often"] * 100)
    wait_until(lambda: system.get("/ready").json()["pending_events"] == 0, "all to be taken", 60)
    wait_until(lambda: is_done(system, "delivered-often"), "the update")
    mongodb: MongoClient[dict[str, Any]] = MongoClient(
        system.server("mongodb"), directConnection=True, tz_aware=True
    )
    with mongodb:
        database = mongodb["koinx_demo_usd"]
        [entry] = database["updates"].find({"_id": "delivered-often"})
        assert entry["fence"] == 1
        quotes = database["quotes"].count_documents({"recorded_at": entry["hops"]["fetched"]})
        assert quotes == entry["counts"]["stored"]


@pytest.mark.row("redis-killed")
def test_redis_wiped_while_updates_are_open(system: System) -> None:
    names = [f"open-{number}" for number in range(5)]
    assert system.koinx("stop", "worker").returncode == 0
    publish(system, names)
    wait_until(
        lambda: all(update(system, name).get("state") == "received" for name in names),
        "the ledger to have them",
    )
    with redis_client.Redis.from_url(system.server("redis")) as client:
        wait_until(lambda: client.llen("updates") == len(names), "Redis to have their tasks")
        client.flushall()
    assert system.koinx("start", "worker").returncode == 0
    wait_until(lambda: all(is_done(system, name) for name in names), "all of them to end", 60)


def test_a_worker_that_is_stopped_finishes_its_update(system: System) -> None:
    # Given an update that waits for its source
    simulator(system).fault("slow", delay=4, path="/coins/markets")
    publish(system, ["in-work"])
    wait_until(lambda: update(system, "in-work").get("state") == "running", "it to be claimed")

    # When the worker is stopped in order
    assert system.koinx("stop", "worker").returncode == 0

    # Then it has ended the update before it ended itself
    ended = update(system, "in-work")
    assert ended["state"] == "done"
    assert system.koinx("start", "worker").returncode == 0


@pytest.mark.row("overload")
def test_of_five_times_as_many_as_may_wait_most_are_refused_at_once_and_updates_are_on_time(
    system: System,
) -> None:
    # Given callers on eight addresses, each of which may ask for 60 changes a minute
    address = urlsplit(system.api)

    def ask(number: int) -> tuple[int, float]:
        source = (f"127.0.0.{2 + number % 8}", 0)
        begun = time.monotonic()
        with closing(
            HTTPConnection(str(address.hostname), address.port, 30, source_address=source)
        ) as connection:
            connection.request("POST", "/trigger-update")
            return connection.getresponse().status, time.monotonic() - begun

    # When five times as many ask at once as may wait, and events come meanwhile
    names = [f"on-time-{number}" for number in range(5)]
    count = 5 * MAX_WAITING_REQUESTS * WORKERS
    with ThreadPoolExecutor(count) as threads:
        asked = [threads.submit(ask, number) for number in range(count)]
        publish(system, names)
        answers = [one.result() for one in asked]

    # Then those who wait get their update in time, and the others hear so at once
    assert {status for status, _ in answers} == {200, 503}
    assert max(seconds for status, seconds in answers if status == 200) < WAIT_SECONDS
    assert max(seconds for status, seconds in answers if status == 503) < REFUSED_SECONDS
    # ... and an event's update is done in seconds
    wait_until(lambda: all(is_done(system, name) for name in names), "the events' updates")
    for name in names:
        hops = {k: datetime.fromisoformat(v) for k, v in update(system, name)["hops"].items()}
        assert hops["finished"] - hops["streamed"] < ON_TIME


@pytest.mark.row("secret-leak")
def test_a_secret_is_in_no_log_no_status_and_no_answer(system: System) -> None:
    secret = (system.home / "run" / "api_key").read_text().strip()
    seen = [system.koinx("status", "--json").stdout, system.koinx("status").stdout]
    seen += [system.get(path).text for path in ("/ready", "/openapi.json", "/v1/updates")]
    seen += [log.read_text(errors="replace") for log in (system.home / "logs").iterdir()]
    assert len(seen) > 10
    assert not [text for text in seen if secret in text]
