"""What is asked of the three servers: real ones, good and bad."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis as redis_client
from pydantic import SecretStr

from bench.harness.services import PASSWORD, free_port, wait_until
from cli.doctor import servers
from cli.doctor.finding import Finding
from settings import Settings
from supervisor.control import Overview
from supervisor.embedded import servers as programs
from supervisor.embedded.mongod import mongod
from supervisor.ports import is_busy

NOTHING = Overview(0, None, [], None)
FIELDS = {"mongodb": "mongodb_uri", "nats": "nats_url", "redis": "redis_url"}


def ask(name: str, url: str) -> list[Finding]:
    """What is found of a user's own server; the others are embedded, and do not run."""
    settings = Settings.model_validate({FIELDS[name]: SecretStr(url)})
    found = [
        one for check in servers.checks(settings, settings, NOTHING, runs=False) for one in check()
    ]
    assert sum(one.state == "idle" for one in found) == 2
    return [one for one in found if one.state != "idle"]


@contextmanager
def started(*command: str, port: int) -> Iterator[None]:
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, stdout=quiet, stderr=quiet) as process:
        try:
            wait_until(lambda: is_busy("127.0.0.1", port), "the server to listen", 30)
            yield
        finally:
            process.kill()


def test_good_servers_say_their_version_and_the_time(mongodb: str, nats: str, redis: str) -> None:
    database, clock = ask("mongodb", mongodb)
    assert (database.state, clock.state) == ("ok", "ok")
    assert database.text.startswith("6.")
    assert database.text.endswith("replica set koinx")
    [stream] = ask("nats", nats)
    assert stream.state == "ok"
    assert stream.text.startswith("2.")
    assert "JetStream with 0 streams" in stream.text
    queue, clock = ask("redis", redis)
    assert (queue.state, clock.state) == ("ok", "ok")
    assert queue.text.startswith("9.")


@pytest.mark.parametrize("name", FIELDS)
def test_one_that_does_not_answer_is_named_without_its_password(name: str) -> None:
    scheme = name if name != "nats" else "nats"
    [found] = ask(name, f"{scheme}://user:secret@127.0.0.1:{free_port()}")
    assert found.state == "fault"
    assert f"{scheme}://…@127.0.0.1:" in found.text
    assert "does not answer" in found.text
    assert FIELDS[name].upper() in str(found.cure)
    assert "secret" not in str(found)


def test_a_mongod_that_stands_alone_or_rejects_the_password(tmp_path: Path) -> None:
    port, program = free_port(), mongod()
    if program is None:
        pytest.skip("there is no mongod for this machine")
    options = ("--bind_ip", "127.0.0.1", "--nounixsocket", "--dbpath", str(tmp_path))
    with started(program, "--port", str(port), *options, port=port):
        [found] = ask("mongodb", f"mongodb://127.0.0.1:{port}")
        assert found.text.endswith("is not a replica set")
        assert "--replSet" in str(found.cure)
        [found] = ask("mongodb", f"mongodb://user:secret@127.0.0.1:{port}")
        assert found.text.endswith("rejects the user or the password")
        assert "secret" not in str(found)


def test_a_mongodb_address_that_is_none() -> None:
    [found] = ask("mongodb", "mongodb://127.0.0.1:port")
    assert "is not a valid address" in found.text


def test_a_nats_without_jetstream_or_that_rejects_the_login() -> None:
    port = free_port()
    program = programs._beside_python("nats-server", "nats")
    with started(program, "-a", "127.0.0.1", "-p", str(port), "--auth", "secret", port=port):
        [found] = ask("nats", f"nats://secret@127.0.0.1:{port}")
        assert "offers no JetStream" in found.text
        assert "-js" in str(found.cure)
        [found] = ask("nats", f"nats://wrong@127.0.0.1:{port}")
        assert found.text.endswith("rejects the login")


def test_a_redis_that_throws_away_or_refuses_us(redis: str) -> None:
    with redis_client.Redis.from_url(redis) as client:
        client.config_set("maxmemory", "100mb")
        client.config_set("maxmemory-policy", "allkeys-lru")
        [found] = ask("redis", redis)
        client.config_set("maxmemory", "0")
        client.config_set("maxmemory-policy", "noeviction")
        assert "its maxmemory-policy is allkeys-lru" in found.text
        client.config_set("requirepass", "secret")
        [found] = ask("redis", redis)
        client.config_set("requirepass", PASSWORD)
        assert found.text.endswith("rejects the login")


def test_one_of_ours_that_was_stopped_is_a_fault_while_others_run() -> None:
    checks = servers.checks(Settings(), Settings(), NOTHING, runs=True)
    found = [one for check in checks for one in check()]
    assert [one.check for one in found] == ["mongodb", "nats", "redis"]
    assert {one.text for one in found} == {"is not started"}
    assert found[0].cure == "./koinx start mongodb"


def test_a_server_without_a_program_here_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object) -> None:
        raise programs.ServerMissingError("nats-server is not installed: set NATS_URL")

    monkeypatch.setattr(programs, "spec", missing)
    checks = servers.checks(Settings(), Settings(), NOTHING, runs=False)
    found = [one for check in checks for one in check()]
    assert [(one.state, one.cure) for one in found] == [("fault", "set NATS_URL")] * 3
