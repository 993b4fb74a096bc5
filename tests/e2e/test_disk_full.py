"""Reliability: a disk is full: refused, said, and gone on with once there is room."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import nats
import psutil
import pytest
import redis as redis_client
import requests
from pymongo import MongoClient
from pymongo.errors import ConnectionFailure

from bench.chaos.invariants import Evidence, accepted, counts, stored_once
from bench.harness.services import wait_until
from bench.harness.system import System, running
from tests.harness.small_disk import SmallDisk, small_disk

DATABASE = "koinx_demo_usd"
DISKS = {  # MB
    "data/mongodb": 700,
    f"data/{DATABASE}/nats": 20,
    f"data/{DATABASE}/redis": 20,
    "logs": 20,
}
MORE_THAN_A_PAGE = "x" * 8192  # the rest of a page that a file has begun is still its own
BACK = 60.0  # seconds until all goes on again


class Full:
    """A system whose folders are small disks of their own, and what it accepted so far."""

    def __init__(self, system: System, disks: dict[str, SmallDisk]) -> None:
        self.system = system
        self.mongodb, self.nats, self.redis, self.logs = disks.values()
        self.accepted: list[str] = []

    def disk(self) -> dict[str, Any]:
        """What /ready says of the disks."""
        found: dict[str, Any] = self.system.get("/ready").json()["dependencies"]["disk"]
        return found

    def is_ready(self) -> bool:
        """Whether /ready says that all is well."""
        try:
            return self.system.get("/ready").ok and self.disk()["error"] is None
        except requests.RequestException:
            return False

    def ask(self, path: str = "/v1/updates") -> requests.Response:
        """Asks for an update."""
        answer = requests.post(self.system.api + path, timeout=15)
        if answer.status_code == 202:
            self.accepted.append(answer.json()["id"])
        return answer

    def publish(self, name: str, padding: str = "") -> None:
        """Publishes an event; raises TimeoutError when JetStream does not acknowledge it."""

        async def send() -> None:
            client = await nats.connect(self.system.server("nats"))
            try:
                event = f'{{"trigger":"update","id":"{name}"}}'.encode()
                js = client.jetstream()
                await js.publish("crypto.update", event, headers={"Padding": padding}, timeout=2)
            finally:
                await client.close()

        asyncio.run(send())
        self.accepted.append(name)

    def process(self, name: str) -> dict[str, Any]:
        """What `status` says of a process."""
        return self.system.status()[name]

    def update(self, name: str) -> dict[str, Any]:
        """An update of the ledger; {} while it cannot be read."""
        try:
            answer = self.system.get(f"/v1/updates/{name}")
        except requests.RequestException:
            return {}
        found: dict[str, Any] = answer.json() if answer.ok else {}
        return found

    def all_done(self) -> bool:
        """Whether every update that was accepted has ended well."""
        return all(self.update(name).get("state") == "done" for name in self.accepted)

    def log(self) -> str:
        """What the supervisor wrote."""
        return (self.logs.folder / "supervisor.log").read_text()

    def refuses(self, disk: SmallDisk) -> None:
        """Waits until updates are refused for this disk, in the same words everywhere."""
        said = f"{disk.folder} is on a disk with "
        wait_until(lambda: said in (self.disk()["error"] or ""), "/ready to name the disk")
        answer = self.system.get("/ready")
        assert (answer.status_code, answer.json()["ready"]) == (503, False)
        for path in ("/v1/updates", "/trigger-update"):
            refused = self.ask(path)
            assert refused.status_code == 503
            assert said in refused.json()["message"]
        wait_until(lambda: said in self.log(), "the log to say it")
        assert said in self.system.koinx("status").stderr

    def goes_on(self, disk: SmallDisk) -> None:
        """Makes room, waits until all is well again, and looks at what was accepted."""
        disk.clear()
        wait_until(self.is_ready, "all to go on by itself", BACK)
        assert self.ask().status_code == 202
        wait_until(self.all_done, "all that was accepted to be done", BACK)
        log = self.log()
        short = f'"level": "warning", "event": "{disk.folder} is on a disk with'
        assert log.count(short) == 1
        assert f"{disk.folder} is on a disk with room again" in log


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Full]:
    home = tmp_path_factory.mktemp("disk-full")
    with ExitStack() as stack:
        disks = {
            name: stack.enter_context(small_disk(home / name, mb)) for name, mb in DISKS.items()
        }
        settings = {"COINS": "top:20", "CRON_SCHEDULE": "*/5 * * * * *"}
        system = stack.enter_context(running(home, "--demo", **settings))
        yield Full(system, disks)


@pytest.fixture(autouse=True)
def with_room_again(full: Full) -> Iterator[None]:
    yield
    for disk in (full.mongodb, full.nats, full.redis, full.logs):
        disk.clear()


@pytest.mark.row("disk-full")
def test_mongodb(full: Full) -> None:
    # Given a disk that is short of room, but not full
    mongodb = MongoClient[dict[str, Any]](
        full.system.server("mongodb"), directConnection=True, serverSelectionTimeoutMS=1000
    )
    full.mongodb.fill(leave=20_000_000)
    full.refuses(full.mongodb)

    # Then what the schedule wants is put off, and the ledger says why
    def put_off() -> list[dict[str, Any]]:
        updates = full.system.get("/v1/updates?page_size=5").json()
        return [one for one in updates if str(full.mongodb.folder) in (one["error"] or "")]

    wait_until(put_off, "an update to be put off")

    # Given a full disk: mongod ends at its next checkpoint, which comes every minute by itself
    full.mongodb.fill()
    with mongodb, pytest.raises(ConnectionFailure):
        mongodb.admin.command("fsync")
    full.mongodb.fill()
    wait_until(lambda: "mongodb waits for room" in full.log(), "the supervisor to wait")
    # When an event is accepted meanwhile
    full.publish("while-mongodb-had-no-room")
    assert full.log().count("mongodb waits for room") == 1
    # Then it is carried out once there is room
    full.goes_on(full.mongodb)


@pytest.mark.row("disk-full")
def test_nats(full: Full) -> None:
    # Given an event that NATS has and that nobody can take
    mongod = psutil.Process(full.process("mongodb")["pid"])
    mongod.suspend()
    try:
        full.publish("in-the-stream")
        # When NATS' disk is full
        full.nats.fill()
        with pytest.raises(TimeoutError):
            full.publish("not-acknowledged", MORE_THAN_A_PAGE)
    finally:
        mongod.resume()
    full.refuses(full.nats)
    # Then it goes on, though this server would refuse each write until it is started anew
    before = full.process("nats")["pid"]
    full.goes_on(full.nats)
    assert full.process("nats")["pid"] != before


@pytest.mark.row("disk-full")
def test_redis(full: Full) -> None:
    redis = redis_client.Redis.from_url(full.system.server("redis"))
    full.redis.fill()
    with redis, pytest.raises(redis_client.ConnectionError):
        redis.set("any", MORE_THAN_A_PAGE)
    wait_until(lambda: "redis waits for room" in full.log(), "the supervisor to wait")
    full.refuses(full.redis)
    full.publish("while-redis-had-no-room")
    full.goes_on(full.redis)


@pytest.mark.row("disk-full")
def test_logs(full: Full) -> None:
    full.logs.fill()
    for log in full.logs.folder.glob("*.log"):
        full.logs.top_up(log)
    said = f"{full.logs.folder} is on a disk with 0 MB free"
    wait_until(lambda: said in (full.disk()["error"] or ""), "/ready to name the disk")
    # Updates go on, and what is started starts.
    assert full.system.get("/ready").ok
    killed = ("worker", "beat")
    for name in killed:
        psutil.Process(full.process(name)["pid"]).kill()
    wait_until(lambda: all(full.process(name)["restarts"] for name in killed), "their end")
    wait_until(lambda: all(full.process(name)["ready"] for name in killed), "their start", BACK)
    assert full.ask("/trigger-update").status_code == 200
    full.publish("while-logs-had-no-room")
    wait_until(full.all_done, "the update")
    full.logs.clear()
    wait_until(full.is_ready, "/ready to say no more of it")
    wait_until(lambda: f"{full.logs.folder} is on a disk with room again" in full.log(), "the log")


@pytest.mark.row("disk-full")
def test_in_the_end_nothing_is_lost_and_nothing_doubled(full: Full) -> None:
    assert len(full.accepted) > 4
    assert full.all_done()
    mongodb = MongoClient[dict[str, Any]](
        full.system.server("mongodb"), directConnection=True, tz_aware=True
    )
    with mongodb:
        database = mongodb[DATABASE]
        found = Evidence(
            updates=list(database["updates"].find()),
            quotes=list(database["quotes"].find()),
            served=[],
            every=5,
            accepted=full.accepted,
        )
    assert [*accepted(found), *counts(found), *stored_once(found.quotes)] == []
