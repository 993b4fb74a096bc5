"""The embedded servers, for real."""

import asyncio
import socket
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import nats
import pytest
from pymongo import MongoClient
from pymongo.errors import OperationFailure
from redis import Redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry

import settings as project
from settings.disk_space import Server, data_folder
from supervisor import desired_state, process_plan
from supervisor.embedded import servers
from supervisor.embedded.mongod import mongod
from supervisor.ports import PortStore, is_busy
from supervisor.process_spec import ProcessSpec
from supervisor.state_dir import StateDir
from supervisor.supervisor import supervise
from tests.harness.supervised import folder, process, until

__all__ = ["folder"]

NAMES: tuple[Server, ...] = ("mongodb", "nats", "redis")


def only_servers(settings: project.Settings, port: Any, secret: Any) -> dict[str, ProcessSpec]:
    return {
        name: servers.spec(name, settings, port(name), secret(servers.password_file(name)))
        for name in NAMES
    }


def values(folder: StateDir, **more: str) -> dict[str, str]:
    return {"KOINX_HOME": str(folder.home), "MARKET": "demo", **more}


def until_ready(folder: StateDir, name: str) -> None:
    until(lambda: process(folder, name).get("ready"), 20)


class Started:
    """The three servers of a home."""

    def __init__(self, folder: StateDir) -> None:
        self.folder = folder
        self.thread: threading.Thread | None = None

    def up(self, **more: str) -> None:
        desired_state.update(
            self.folder, lambda old: old.up(list(NAMES), values(self.folder, **more))
        )
        self.thread = threading.Thread(
            target=supervise, args=(self.folder, threading.Event(), only_servers)
        )
        self.thread.start()
        for name in NAMES:
            until_ready(self.folder, name)

    def down(self) -> None:
        if self.thread:
            desired_state.update(self.folder, lambda old: old.stop_all())
            self.thread.join(30)
            assert not self.thread.is_alive()
            self.thread = None

    def url(self, name: Server) -> str:
        port = PortStore(self.folder).get(name)
        return servers.url(name, port, self.folder.secret(servers.password_file(name)))


@pytest.fixture
def started(folder: StateDir) -> Iterator[Started]:
    started = Started(folder)
    yield started
    started.down()


def mongo(started: Started) -> MongoClient[dict[str, Any]]:
    return MongoClient(started.url("mongodb"), timeoutMS=5000)


def greeting(started: Started) -> str:
    address = urlsplit(started.url("nats"))
    with socket.create_connection((address.hostname, address.port), 5) as server:
        return server.recv(65536).decode()


def test_they_answer_and_keep_data_and_ports_over_a_restart(started: Started) -> None:
    started.up()
    urls = [started.url(name) for name in NAMES]
    with mongo(started) as client:
        client.get_database("koinx_demo_usd").get_collection("kept").insert_one({"_id": 1})
    with Redis.from_url(started.url("redis")) as redis:
        redis.set("kept", "yes")
        assert redis.config_get("appendfsync") == {"appendfsync": "always"}
        assert redis.config_get("appendonly") == {"appendonly": "yes"}
        assert redis.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    assert '"jetstream":true' in greeting(started)
    assert '"max_payload":1048576' in greeting(started)
    started.down()
    started.up()
    assert [started.url(name) for name in NAMES] == urls
    with mongo(started) as client:
        assert client.get_database("koinx_demo_usd").get_collection("kept").find_one() == {"_id": 1}
    with Redis.from_url(started.url("redis"), decode_responses=True) as redis:
        assert redis.get("kept") == "yes"


@contextmanager
def open_server(*command: object) -> Iterator[None]:
    """A server as it was started before it had a password."""
    quiet = subprocess.DEVNULL
    with subprocess.Popen([str(part) for part in command], stdout=quiet, stderr=quiet) as process:
        try:
            yield
        finally:
            process.terminate()


def test_a_home_from_before_the_passwords_keeps_its_data(started: Started) -> None:
    # Given what servers without passwords stored, in files that all may read
    folder = started.folder
    ports = {name: PortStore(folder).get(name) for name in NAMES}
    settings = project.load({**values(folder), "KOINX_ENV_FILE": ""}, running=False)
    data = {name: data_folder(settings, name) for name in NAMES}
    for one in data.values():
        one.mkdir(parents=True)
    at = f"127.0.0.1:{ports['mongodb']}"
    with (
        open_server(
            *(mongod(), "--dbpath", data["mongodb"], "--port", ports["mongodb"]),
            *("--bind_ip", "127.0.0.1", "--replSet", "koinx", "--oplogSize", "128"),
        ),
        MongoClient[Any](f"mongodb://{at}/?directConnection=true") as client,
    ):
        client.admin.command("replSetInitiate", {"_id": "koinx", "members": [member(at)]})
        until(lambda: client.admin.command("hello")["isWritablePrimary"], 10)
        client["koinx_demo_usd"]["kept"].insert_one({"_id": 1})
    with (
        open_server(
            *(servers.valkey_server(), "--port", ports["redis"], "--dir", data["redis"]),
            *("--bind", "127.0.0.1", "--appendonly", "yes", "--save", ""),
        ),
        Redis("127.0.0.1", ports["redis"], retry=Retry(ConstantBackoff(0.1), 50)) as redis,
    ):
        redis.set("kept", "yes")
    with open_server(
        *(Path(sys.executable).with_name("nats-server"), "-js", "-sd", data["nats"]),
        *("-a", "127.0.0.1", "-p", ports["nats"]),
    ):
        until(lambda: is_busy("127.0.0.1", ports["nats"]), 10)
        asyncio.run(publish(f"nats://127.0.0.1:{ports['nats']}"))
    folder.home.chmod(0o755)
    (folder.data / "left").touch(0o644)
    # When
    started.up()
    # Then
    with mongo(started) as client:
        assert client["koinx_demo_usd"]["kept"].find_one() == {"_id": 1}
    with Redis.from_url(started.url("redis"), decode_responses=True) as redis:
        assert redis.get("kept") == "yes"
    assert asyncio.run(kept(started.url("nats"))) == 1
    assert [
        path for path in (folder.home, *folder.data.rglob("*")) if path.stat().st_mode & 0o077
    ] == []


def test_a_password_that_was_lost_is_made_anew_over_the_same_data(started: Started) -> None:
    started.up()
    with mongo(started) as client:
        client["koinx_demo_usd"]["kept"].insert_one({"_id": 1})
    before = started.url("mongodb")
    started.down()
    for name in NAMES:
        (started.folder.run / servers.password_file(name)).unlink()
    started.up()
    assert started.url("mongodb") != before
    with mongo(started) as client:
        assert client["koinx_demo_usd"]["kept"].find_one() == {"_id": 1}
    with MongoClient[Any](before) as old, pytest.raises(OperationFailure, match="Authentication"):
        old.admin.command("hello")


def member(address: str) -> dict[str, Any]:
    return {"_id": 0, "host": address}


async def publish(url: str) -> None:
    client = await nats.connect(url)
    await client.jetstream().add_stream(name="KEPT", subjects=["kept"])
    await client.jetstream().publish("kept", b"1")
    await client.close()


async def kept(url: str) -> int:
    client = await nats.connect(url)
    state = (await client.jetstream().stream_info("KEPT")).state
    await client.close()
    return state.messages


@contextmanager
def stranger_at(port: int) -> Iterator[None]:
    """Another program's server, which hangs up on whom it does not understand."""

    class HangsUp(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.close()

    with socketserver.TCPServer(("127.0.0.1", port), HangsUp) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield
        server.shutdown()
        thread.join()


def test_a_port_that_a_stranger_took_is_chosen_anew(started: Started) -> None:
    started.up()
    port = PortStore(started.folder).get("mongodb")
    with mongo(started) as client:
        client.get_database("koinx_demo_usd").get_collection("kept").insert_one({"_id": 1})
    started.down()
    with stranger_at(port):
        started.up()
        assert PortStore(started.folder).get("mongodb") != port
        with mongo(started) as client:
            kept = client.get_database("koinx_demo_usd").get_collection("kept")
            kept.insert_one({"_id": 2})
            assert kept.count_documents({}) == 2


@pytest.mark.row("nats-killed")
def test_nats_has_an_event_on_the_disk_before_it_acknowledges_it(tmp_path: Path) -> None:
    settings = project.load({"KOINX_HOME": str(tmp_path), "KOINX_ENV_FILE": ""}, running=False)
    [text] = servers.nats(settings, 20_000, "").files.values()
    assert "sync_interval: always" in text


def test_queues_of_one_market_are_never_those_of_another(tmp_path: Path) -> None:
    def folders(market: str) -> list[str]:
        environment = {"KOINX_HOME": str(tmp_path), "MARKET": market, "KOINX_ENV_FILE": ""}
        settings = project.load(environment, running=False)
        return [servers.spec(name, settings, 20_000, "").folders[0] for name in NAMES]

    live, demo = folders("live"), folders("demo")
    assert live[0] == demo[0], "MongoDB keeps a database for each"
    assert set(live[1:]).isdisjoint(demo[1:])
    assert live[1] == str(tmp_path / "data" / "koinx_live_usd" / "nats")


def test_a_server_that_a_setting_names_is_not_ours() -> None:
    environment = {"KOINX_ENV_FILE": "", "REDIS_URL": "redis://elsewhere:6379/0"}
    settings = project.load(environment, running=False)
    assert servers.embedded(settings) == ["mongodb", "nats"]
    assert "redis" not in process_plan.names(settings)
    resolved = process_plan.resolved(settings, lambda _name: 1234, lambda _name: "key")
    assert resolved["REDIS_URL"] == "redis://elsewhere:6379/0"
    assert resolved["NATS_URL"] == "nats://koinx:key@127.0.0.1:1234"


def test_without_a_program_the_fault_names_the_setting(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    settings = project.load({"KOINX_ENV_FILE": ""}, running=False)
    with pytest.raises(servers.ServerMissingError, match=r"nats-server .* set NATS_URL"):
        servers.nats(settings, 20_000, "")
