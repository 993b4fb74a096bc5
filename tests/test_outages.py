"""Rows of the reliability page, made to happen on a whole system."""

import asyncio
from collections.abc import Iterator
from typing import Any

import nats
import pytest
import redis as redis_client
from pymongo import MongoClient

from tests.support import SimulatorControl, wait_until
from tests.system import System, running

DELIVERIES = 1000
WORKERS = 4


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    home = tmp_path_factory.mktemp("outages")
    with running(home, "--demo", COINS="top:20", API_WORKERS=str(WORKERS)) as made:
        yield made


def publish(system: System, ids: list[str]) -> None:
    """Sends an event for each id, without a message id, so that JetStream keeps them all."""

    async def send() -> None:
        client = await nats.connect(system.status()["nats"]["url"])
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
    return SimulatorControl(system.status()["market"]["url"])


def test_many_deliveries_of_one_event_make_one_update_and_one_set_of_quotes(
    system: System,
) -> None:
    for _ in range(0, DELIVERIES, 100):
        publish(system, ["delivered-often"] * 100)
    wait_until(lambda: system.get("/ready").json()["pending_events"] == 0, "all to be taken", 60)
    wait_until(lambda: is_done(system, "delivered-often"), "the update")
    mongodb: MongoClient[dict[str, Any]] = MongoClient(
        system.status()["mongodb"]["url"], directConnection=True, tz_aware=True
    )
    with mongodb:
        database = mongodb["koinx_demo_usd"]
        [entry] = database["updates"].find({"_id": "delivered-often"})
        assert entry["fence"] == 1
        quotes = database["quotes"].count_documents({"recorded_at": entry["hops"]["fetched"]})
        assert quotes == entry["counts"]["stored"]


def test_redis_wiped_while_updates_are_open(system: System) -> None:
    names = [f"open-{number}" for number in range(5)]
    assert system.koinx("stop", "worker").returncode == 0
    publish(system, names)
    wait_until(
        lambda: all(update(system, name).get("state") == "received" for name in names),
        "the ledger to have them",
    )
    with redis_client.Redis.from_url(system.status()["redis"]["url"]) as client:
        assert client.llen("updates") == len(names)
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


def test_a_secret_is_in_no_log_no_status_and_no_answer(system: System) -> None:
    secret = (system.home / "run" / "api_key").read_text().strip()
    seen = [system.koinx("status", "--json").stdout, system.koinx("status").stdout]
    seen += [system.get(path).text for path in ("/ready", "/openapi.json", "/v1/updates")]
    seen += [log.read_text(errors="replace") for log in (system.home / "logs").iterdir()]
    assert len(seen) > 10
    assert not [text for text in seen if secret in text]
