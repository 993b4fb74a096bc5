"""What another account of the same machine can see and do of a running home."""

import asyncio
import contextlib
import json
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import nats
import psutil
import pytest
import requests
from pymongo import MongoClient
from pymongo.errors import OperationFailure
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from bench.harness.system import System, running
from supervisor.embedded.servers import EMBEDDED

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another account")
STRANGER = pwd.getpwnam("nobody")
SECRET_FILES = ("api_key", "dashboard_key", *(f"{name}_password" for name in EMBEDDED))
# What a wider umask than ours would leave open.
UMASK = 0o022
ONCE = Retry(NoBackoff(), 0)


@contextmanager
def shared(**settings: str) -> Iterator[System]:
    """A demo in a place that all accounts can enter."""
    place = Path(tempfile.mkdtemp())
    place.chmod(0o755)
    before = os.umask(UMASK)
    try:
        with running(place / "home", "--demo", COINS="top:20", **settings) as made:
            yield made
    finally:
        os.umask(before)
        shutil.rmtree(place)


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    with shared() as made:
        yield made


def as_stranger(look: Callable[[], Any]) -> Any:
    """What `look` returns, as JSON can hold it, to another account."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        told: Any = "it did not get so far"
        with contextlib.suppress(BaseException):
            os.setgroups([])
            os.setgid(STRANGER.pw_gid)
            os.setuid(STRANGER.pw_uid)
            try:
                told = look()
            except BaseException as error:
                told = repr(error)
        os.write(writing, json.dumps(told).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        told = json.loads(pipe.read())
    os.waitpid(child, 0)
    return told


def port(system: System, name: str) -> int:
    return int(system.status()[name]["url"].rpartition(":")[2])


def secrets(system: System) -> list[str]:
    return [(system.home / "run" / name).read_text().strip() for name in SECRET_FILES]


def refused(*tries: Callable[[], Any]) -> list[str]:
    """What came of each try: the kind of error, or what it let through."""
    found = []
    for one in tries:
        try:
            found.append(f"let through: {one()!r}")
        except nats.errors.Error as error:  # has no kind of its own for this
            found.append(str(error))
        except (OSError, OperationFailure, RedisError) as error:
            found.append(type(error).__name__)
    return found


@pytest.mark.row("local-stranger")
def test_nothing_listens_but_what_is_tried_here(system: System) -> None:
    listening, unix = set(), set()
    for process in system.processes():
        for one in process.net_connections("inet"):
            if one.status == psutil.CONN_LISTEN:
                assert one.laddr.ip == "127.0.0.1"
                listening.add(one.laddr.port)
        unix |= {one.laddr for one in process.net_connections("unix") if one.laddr}
    tried = {port(system, name) for name in (*EMBEDDED, "market", "api", "dashboard")}
    assert (listening, unix) == (tried, set())


@pytest.mark.row("local-stranger")
def test_mongodb_tells_a_stranger_nothing_of_what_is_stored(system: System) -> None:
    where = port(system, "mongodb")

    def look() -> list[str]:
        with MongoClient[Any]("127.0.0.1", where, directConnection=True) as client:
            quotes = client["koinx_demo_usd"]["quotes"]
            found = refused(
                client.list_database_names,
                quotes.find_one,
                lambda: quotes.insert_one({"_id": 1}),
                lambda: quotes.delete_many({}),
                lambda: client.admin.command("createUser", "me", pwd="x", roles=["root"]),
                lambda: client.admin.command("shutdown"),
                client["local"]["oplog.rs"].find_one,
            )
        guess = f"mongodb://koinx:a-guess@127.0.0.1:{where}/?directConnection=true"
        with MongoClient[Any](guess, retryReads=False) as client:
            return found + refused(client.list_database_names)

    assert as_stranger(look) == ["OperationFailure"] * 8


@pytest.mark.row("local-stranger")
@pytest.mark.parametrize("password", [None, "a guess"])
def test_redis_tells_a_stranger_nothing(system: System, password: str | None) -> None:
    where = port(system, "redis")

    def look() -> list[str]:
        with Redis("127.0.0.1", where, password=password, retry=ONCE) as client:
            return refused(
                client.keys,
                lambda: client.llen("updates"),
                lambda: client.set("a", "b"),
                client.flushall,
                lambda: client.config_get("requirepass"),
                lambda: client.config_set("dir", "/tmp"),
                lambda: client.execute_command("SHUTDOWN"),
            )

    assert as_stranger(look) == ["AuthenticationError"] * 7


@pytest.mark.row("local-stranger")
@pytest.mark.parametrize("user", [{}, {"user": "koinx", "password": "a guess"}])
def test_nats_takes_no_event_of_a_stranger(system: System, user: dict[str, str]) -> None:
    where = f"nats://127.0.0.1:{port(system, 'nats')}"

    def look() -> list[str]:
        async def publish() -> None:
            client = await nats.connect(where, allow_reconnect=False, connect_timeout=2, **user)
            await client.publish("crypto.update", b'{"trigger":"update"}')
            await client.flush()

        return refused(lambda: asyncio.run(publish()))

    assert as_stranger(look) == ["nats: 'Authorization Violation'"]


@pytest.mark.row("local-stranger")
def test_the_simulated_market_obeys_no_stranger(system: System) -> None:
    url = f"http://127.0.0.1:{port(system, 'market')}/simulator"

    def look() -> list[int]:
        fault = [{"kind": "price", "coin": "bitcoin", "value": 1}]
        return [
            requests.get(f"{url}/faults", timeout=5).status_code,
            requests.get(f"{url}/served", timeout=5).status_code,
            requests.delete(f"{url}/faults", timeout=5).status_code,
            requests.post(f"{url}/faults", json=fault, timeout=5).status_code,
            requests.post(
                f"{url}/faults", json=fault, headers={"X-API-Key": "a guess"}, timeout=5
            ).status_code,
        ]

    assert as_stranger(look) == [401] * 5
    system.market().fault("slow", delay=0.01)
    system.market().clear()


@pytest.mark.row("local-stranger")
def test_the_dashboard_shows_a_stranger_how_to_get_in(system: System) -> None:
    def look() -> list[int]:
        paths = ("/", "/servers", "/_dash-layout", "/_dash-dependencies", "/_dash-update-component")
        return [requests.get(system.dash + path, timeout=5).status_code for path in paths] + [
            requests.post(f"{system.dash}/_dash-update-component", json={}, timeout=5).status_code
        ]

    assert set(as_stranger(look)) <= {401, 403}


@pytest.mark.row("local-stranger")
def test_of_the_api_a_stranger_has_what_is_public_and_may_ask_for_updates(system: System) -> None:
    """As the documentation says: prices are for all of this machine, and so are calls of it."""

    def look() -> list[int]:
        return [
            requests.get(f"{system.api}/stats?coin=bitcoin", timeout=5).status_code,
            requests.post(f"{system.api}/v1/updates", timeout=15).status_code,
            requests.delete(f"{system.api}/v1/coins/bitcoin", timeout=5).status_code,
        ]

    assert as_stranger(look) == [200, 202, 405]


@pytest.mark.row("local-stranger")
def test_with_local_access_key_a_stranger_has_nothing_of_the_api_without_the_key() -> None:
    reads = ("/stats?coin=bitcoin", "/v1/coins", "/v1/updates", "/v1/events?seconds=1", "/metrics")
    changes = ("/v1/updates", "/trigger-update", "/v1/repairs")

    with shared(LOCAL_ACCESS="key", API_WORKERS="1") as system:
        key = (system.home / "run" / "api_key").read_text().strip()

        def ask(**headers: str) -> list[int]:
            return [
                *(
                    requests.get(system.api + at, headers=headers, timeout=5).status_code
                    for at in reads
                ),
                *(
                    requests.post(system.api + at, headers=headers, timeout=15).status_code
                    for at in changes
                ),
            ]

        number = len(updates(system, key))
        assert as_stranger(ask) == [401] * 8
        assert as_stranger(lambda: ask(**{"X-API-Key": "a guess"})) == [401] * 8
        assert len(updates(system, key)) == number
        # The API cannot tell accounts apart, so the home's owner needs the key too
        assert ask() == [401] * 8
        assert as_stranger(lambda: requests.get(f"{system.api}/health", timeout=5).ok)
        assert as_stranger(lambda: requests.get(f"{system.api}/ready", timeout=5).ok)
        # Whoever has the key has all; so have the dashboard and the commands
        assert as_stranger(lambda: ask(**{"X-API-Key": key})) == [200] * 5 + [202, 200, 422]
        assert len(updates(system, key)) > number
        assert system.koinx("selftest").returncode == 0
        assert system.koinx("trace").returncode == 0
        up = system.koinx("up", "--demo", "--detach")
        assert "first update: " in up.stdout, up.stdout


def updates(system: System, key: str) -> list[Any]:
    url = f"{system.api}/v1/updates"
    found: list[Any] = requests.get(url, headers={"X-API-Key": key}, timeout=5).json()
    return found


@pytest.mark.row("local-stranger")
def test_no_file_of_the_home_can_be_read_or_written(system: System) -> None:
    home = system.home
    paths = [home, *home.rglob("*")]
    assert len(paths) > 50
    assert [path for path in paths if path.exists() and path.lstat().st_mode & 0o077] == []
    files = [path for path in paths if path.is_file()]

    def look() -> list[str]:
        found = refused(
            lambda: list(home.iterdir()), (home / "new").touch, lambda: home.rename(home / "x")
        )
        for path in files:
            found += refused(path.lstat, path.read_bytes, partial(path.open, "r+b"))
        return sorted(set(found))

    assert as_stranger(look) == ["PermissionError"]


@pytest.mark.row("local-stranger")
@pytest.mark.row("secret-leak")
def test_no_secret_can_be_seen_from_outside(system: System) -> None:
    hidden = secrets(system)
    assert all(len(one) >= 43 for one in hidden)

    def look() -> list[str]:
        seen = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                seen.append(" ".join(process.cmdline()))
            with contextlib.suppress(psutil.Error, OSError):
                seen.append(Path(f"/proc/{process.pid}/environ").read_bytes().decode())
        return seen

    seen = as_stranger(look)
    assert any("mongod" in line for line in seen)
    told = [
        system.koinx(*words).stdout
        for words in (["status"], ["status", "--json"], ["doctor"], ["logs"], ["selftest"])
    ]
    assert all(told)
    logs = [log.read_text(errors="replace") for log in (system.home / "logs").iterdir()]
    assert [one for one in hidden for text in (*seen, *told, *logs) if one in text] == []


def test_url_gives_an_address_that_works(system: System) -> None:
    def url(name: str) -> str:
        answer = system.koinx("url", name)
        assert answer.returncode == 0, answer.stderr
        assert (system.home / "run").is_dir()
        return answer.stdout.removesuffix("\n")

    with MongoClient[Any](url("mongodb")) as client:
        assert client["koinx_demo_usd"]["coins"].count_documents({}) > 0
    with Redis.from_url(url("redis")) as redis:
        assert redis.ping()

    async def ask() -> bool:
        client = await nats.connect(url("nats"))
        streams = (await client.jetstream().account_info()).streams
        await client.close()
        return streams > 0

    assert asyncio.run(ask())
    assert url("api") == system.api
    assert requests.get(url("dashboard"), timeout=5).status_code == 200
    for name in EMBEDDED:
        assert "@" not in system.status()[name]["url"]


def test_without_a_further_setting_celery_finds_its_redis(system: System) -> None:
    """The command of docs/celery.md, beside a home of another place than the default's."""
    celery = subprocess.run(
        [".venv/bin/celery", "-A", "tasks", "inspect", "ping"],
        cwd=system.root,
        env=system.bare,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert celery.returncode == 0, celery.stderr
    assert "pong" in celery.stdout
    assert not any(one in celery.stdout + celery.stderr for one in secrets(system))
