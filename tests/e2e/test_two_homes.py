"""Reliability: two homes on one NATS and Redis would take each other's events and tasks."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import redis as redis_client
from nats.aio.client import Client
from pydantic import SecretStr
from pymongo import MongoClient
from pymongo.database import Database

from bench.harness.services import free_port, server
from bridge import streams
from bridge.connection import Connection
from bridge.events import UpdateRequested
from bridge.publisher import publish
from cli.doctor import servers as doctor
from market.storage import home
from market.storage.backup import back_up
from market.storage.database import Document
from market.storage.restore import restore
from settings import ROOT, Settings
from settings.home_claim import HOME_KEY, KEY, QUEUES, TAKE_OVER, OtherHome, claim
from tests.harness import migration

pytestmark = pytest.mark.usefixtures("environment")


def second_home(*command: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    """A process of the second home, of another currency or with `settings`, until it ends."""
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        env=os.environ | (settings or {"CURRENCY": "eur"}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def refused(*command: str, **settings: str) -> str:
    """With what a process of the second home ends."""
    ran = second_home(*command, **settings)
    assert ran.returncode == 1
    return ran.stderr.splitlines()[-1]


@pytest.mark.row("two-homes")
def test_a_second_home_is_refused_by_redis_and_says_what_to_do(
    redis: str, settings: Settings, database: Database[Document]
) -> None:
    assert migration.prepare().returncode == 0
    said = (
        "REDIS_URL names a Redis that works for koinx_demo_usd, and koinx_demo_eur would take its "
        "tasks: give one of them another database number (such as redis://…/1) or another Redis; "
        f"if koinx_demo_usd is no longer used there, run {TAKE_OVER}"
    )
    assert migration.refusal(CURRENCY="eur") == said

    # Started by hand as well
    for command in (
        ["celery", "-A", "tasks", "worker", "-Q", "maintenance", "--pool", "solo"],
        ["celery", "-A", "tasks", "beat"],
    ):
        assert refused(*command) == said

    # And the doctor sees it, in the second home alone
    [found] = doctor._redis(settings, redis, "koinx_demo_eur")
    assert (found.state, found.cure) == ("fault", said.partition(": ")[2])
    assert doctor._redis(settings, redis, "koinx_demo_usd")[0].state == "ok"


@pytest.mark.row("two-homes")
def test_a_second_home_is_refused_by_nats(
    redis: str, nats: str, settings: Settings, database: Database[Document]
) -> None:
    assert migration.prepare().returncode == 0
    other_redis = redis.removesuffix("/0") + "/1"
    said = migration.refusal(CURRENCY="eur", REDIS_URL=other_redis)
    assert said == (
        "NATS_URL names a NATS whose stream CRYPTO works for koinx_demo_usd, and koinx_demo_eur "
        "would take its events: give one of them another account or another NATS; if "
        f"koinx_demo_usd is no longer used there, run {TAKE_OVER}"
    )
    # And the doctor sees it, in the second home alone
    [found] = doctor._nats(settings, nats, "koinx_demo_eur")
    assert (found.state, found.cure) == (
        "fault",
        "give one of them another account or another NATS in NATS_URL; if koinx_demo_usd is no "
        f"longer used there, run {TAKE_OVER}",
    )
    assert found.text.endswith("works for koinx_demo_usd, not for koinx_demo_eur")
    assert doctor._nats(settings, nats, "koinx_demo_usd")[0].state == "ok"


@pytest.mark.row("two-homes")
def test_a_home_takes_the_servers_over_once_the_other_is_done(
    connection: Connection, redis: str, database: Database[Document]
) -> None:
    assert migration.prepare().returncode == 0
    publish(connection, UpdateRequested("a"))
    take_over = ("cli.migrate", "--take-over")
    assert refused(*take_over) == (
        "events of koinx_demo_usd wait in the stream CRYPTO (1): let its home finish them first"
    )

    async def finish(client: Client) -> None:
        await client.jetstream().purge_stream(streams.EVENTS)

    connection.run(finish, 5)
    database.client.drop_database("koinx_demo_eur")
    ran = second_home(*take_over)
    assert (ran.returncode, ran.stdout) == (0, "prepared koinx_demo_eur\n"), ran.stderr
    assert "works for koinx_demo_eur" in migration.refusal()
    assert migration.prepare(CURRENCY="eur").returncode == 0
    database.client.drop_database("koinx_demo_eur")


@pytest.mark.row("two-homes")
def test_tasks_of_the_home_that_had_a_redis_go_with_it(redis: str) -> None:
    held = {
        f"{queue}-1": json.dumps([{"body": ""}, "", queue])
        for queue in ("updates", "maintenance", "another project's")
    }
    with redis_client.Redis.from_url(redis) as client:
        client.flushall()
        claim(redis, "koinx_live_usd")
        for queue in ("updates", "maintenance", "another project's"):
            client.rpush(queue, "a task")
        client.hset("unacked", mapping=held)
        client.zadd("unacked_index", dict.fromkeys(held, 1.0))

        # One's own, in a Redis that one has already, stay
        claim(redis, "koinx_live_usd", take_over=True)
        assert client.llen("updates") == client.llen("maintenance") == 1
        assert client.hlen("unacked") == client.zcard("unacked_index") == 3

        claim(redis, "koinx_live_eur", take_over=True)
        assert client.get(KEY) == b"koinx_live_eur"
        assert client.llen("updates") == client.llen("maintenance") == 0
        assert client.llen("another project's") == 1
        assert client.hkeys("unacked") == [b"another project's-1"]
        assert client.zrange("unacked_index", 0, -1) == [b"another project's-1"]
        client.flushall()


def test_the_way_out_is_a_command_with_and_without_compose() -> None:
    command = "python -m cli.migrate --take-over"
    assert (
        f"{TAKE_OVER}." == f"{command} (with Compose: docker compose run --rm prepare {command})."
    )
    assert streams.TAKE_OVER == TAKE_OVER
    assert f"docker compose run --rm prepare {command}" in (ROOT / "docs/deploying.md").read_text()


def test_each_queue_that_a_task_goes_to_is_known(settings: Settings) -> None:
    import celeryconfig

    routed = {route["queue"] for route in celeryconfig.task_routes.values()}
    assert routed | {celeryconfig.task_default_queue} == set(QUEUES)


@pytest.mark.row("two-homes")
def test_another_host_of_the_same_home_is_none(database: Database[Document]) -> None:
    assert migration.prepare().returncode == 0
    assert migration.prepare(KOINX_HOME="/tmp/another").returncode == 0


def test_streams_of_before_are_claimed_and_the_mark_stays(connection: Connection) -> None:
    connection.run(lambda client: streams.prepare(client, "koinx_live_usd"), 5)
    connection.run(streams.prepare, 5)
    with pytest.raises(streams.WrongStream, match="works for koinx_live_usd, and koinx_live_eur"):
        connection.run(lambda client: streams.prepare(client, "koinx_live_eur"), 5)


@pytest.mark.row("two-homes")
def test_a_wiped_redis_is_claimed_again(redis: str) -> None:
    claim(redis, "koinx_live_usd")
    with redis_client.Redis.from_url(redis) as client:
        client.flushall()
        claim(redis, "koinx_live_usd")
        assert client.get(KEY) == b"koinx_live_usd"
    with pytest.raises(OtherHome, match="works for koinx_live_usd"):
        claim(redis, "koinx_live_eur")


def test_a_redis_that_is_down_keeps_nothing_from_being_prepared(
    database: Database[Document],
) -> None:
    assert migration.prepare(REDIS_URL=f"redis://127.0.0.1:{free_port()}/0").returncode == 0


@pytest.fixture(scope="module")
def another_mongodb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A MongoDB of another home, whose database has the same name."""
    with server("mongodb", tmp_path_factory.mktemp("another")) as (url, _):
        yield url


@pytest.fixture
def other(another_mongodb: str) -> Iterator[Database[Document]]:
    """That database, with nothing in it."""
    with MongoClient[Document](another_mongodb) as client:
        client.drop_database("koinx_demo_usd")
        yield client["koinx_demo_usd"]


def ids(*databases: Database[Document]) -> list[str]:
    """The beginnings of their homes' ids, as they are shown."""
    return [str(home.known(one))[:8] for one in databases]


@pytest.mark.row("two-homes")
def test_a_home_of_the_same_name_on_another_mongodb_is_refused_by_redis(
    redis: str,
    settings: Settings,
    database: Database[Document],
    another_mongodb: str,
    other: Database[Document],
) -> None:
    assert migration.prepare().returncode == 0
    message = migration.refusal(MONGODB_URI=another_mongodb)
    ours, theirs = ids(database, other)
    assert ours != theirs
    said = (
        f"REDIS_URL names a Redis that works for koinx_demo_usd in another MongoDB (home {ours}), "
        f"and koinx_demo_usd in this one (home {theirs}) would take its tasks: give one of them "
        "another database number (such as redis://…/1) or another Redis; if that home is no longer "
        f"used there, run {TAKE_OVER}"
    )
    assert message == said

    # Started by hand as well
    for command in (
        ["celery", "-A", "tasks", "worker", "-Q", "maintenance", "--pool", "solo"],
        ["celery", "-A", "tasks", "beat"],
        ["api.wsgi"],
    ):
        assert refused(*command, MONGODB_URI=another_mongodb) == said

    # And the doctor sees it, in the second home alone
    for one, state in ((other, "fault"), (database, "ok")):
        first, *_ = doctor._redis(settings, redis, "koinx_demo_usd", home.known(one))
        assert first.state == state
        assert (first.cure == said.partition(": ")[2]) == (state == "fault")
    secret = settings.model_copy(update={"mongodb_uri": SecretStr(another_mongodb)})
    assert doctor._home(secret) == home.known(other)

    # Another host of the first goes on, and so does the first
    assert migration.prepare(KOINX_HOME="/tmp/another").returncode == 0
    assert migration.prepare().returncode == 0


@pytest.mark.row("two-homes")
def test_a_home_of_the_same_name_on_another_mongodb_is_refused_by_nats(
    redis: str,
    nats: str,
    settings: Settings,
    database: Database[Document],
    another_mongodb: str,
    other: Database[Document],
) -> None:
    assert migration.prepare().returncode == 0
    other_redis = redis.removesuffix("/0") + "/1"
    said = migration.refusal(MONGODB_URI=another_mongodb, REDIS_URL=other_redis)
    ours, theirs = ids(database, other)
    assert said == (
        "NATS_URL names a NATS whose stream CRYPTO works for koinx_demo_usd in another MongoDB "
        f"(home {ours}), and koinx_demo_usd in this one (home {theirs}) would take its events: "
        "give one of them another account or another NATS; if that home is no longer used there, "
        f"run {TAKE_OVER}"
    )
    for one, state in ((other, "fault"), (database, "ok")):
        [found] = doctor._nats(settings, nats, "koinx_demo_usd", home.known(one))
        assert found.state == state
    [found] = doctor._nats(settings, nats, "koinx_demo_usd", home.known(other))
    assert found.text.endswith(
        f"works for koinx_demo_usd in another MongoDB (home {ours}), not for koinx_demo_usd "
        f"in this one (home {theirs})"
    )
    # Until it takes them over, from when on the first one is refused
    moved = {"MONGODB_URI": another_mongodb}
    assert second_home("cli.migrate", "--take-over", **moved).returncode == 0
    assert migration.prepare(**moved).returncode == 0
    assert f"in another MongoDB (home {theirs})" in migration.refusal()


@pytest.mark.row("two-homes")
def test_a_home_from_before_there_were_ids_goes_on_without_a_word(
    connection: Connection, redis: str, database: Database[Document], another_mongodb: str
) -> None:
    # Given what it left: names alone
    connection.run(lambda client: streams.prepare(client, "koinx_demo_usd"), 5)
    claim(redis, "koinx_demo_usd")
    assert home.known(database) is None
    # When it starts
    ran = migration.prepare()
    # Then both work for its id from now on, also after a process that does not know the id
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "prepared koinx_demo_usd\n", "")
    connection.run(lambda client: streams.prepare(client, "koinx_demo_usd"), 5)
    claim(redis, "koinx_demo_usd")

    async def marks(client: Client) -> list[object]:
        js = client.jetstream()
        names = (streams.EVENTS, streams.DEAD_LETTERS)
        return [((await js.stream_info(one)).config.metadata or {})[streams.HOME] for one in names]

    made = home.known(database)
    assert made is not None
    assert connection.run(marks, 5) == [made, made]
    with redis_client.Redis.from_url(redis) as client:
        assert client.get(HOME_KEY) == made.encode()
    assert "in another MongoDB" in migration.refusal(MONGODB_URI=another_mongodb)


@pytest.mark.row("two-homes")
def test_servers_of_one_home_alone_follow_it_to_another_mongodb(
    connection: Connection, redis: str, database: Database[Document], another_mongodb: str
) -> None:
    assert migration.prepare().returncode == 0
    publish(connection, UpdateRequested("a"))
    own = ("cli.migrate", "--own=nats", "--own=redis")
    ran = second_home(*own, MONGODB_URI=another_mongodb)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "in another MongoDB" in migration.refusal()
    # But to no database of another name
    assert "works for koinx_demo_usd, and koinx_demo_eur" in refused(*own)


def test_a_backup_carries_no_id_and_a_restore_leaves_the_one_that_is_there(
    database: Database[Document], other: Database[Document], tmp_path: Path
) -> None:
    database["home"].delete_many({})
    mine, theirs = home.made(database), home.made(other)
    database["quotes"].insert_one({"_id": {"coin": "a"}})
    file = tmp_path / "koinx.zip"
    assert "home" not in back_up(database, file)["collections"]
    restore(other, file)
    restore(database, file, replace=True)
    assert (home.known(database), home.known(other)) == (mine, theirs)
    assert other["quotes"].count_documents({}) == 1


def test_of_many_that_make_the_id_at_once_all_have_the_same(database: Database[Document]) -> None:
    database["home"].drop()
    with ThreadPoolExecutor(16) as threads:
        found = set(threads.map(lambda _: home.made(database), range(64)))
    assert found == {home.known(database)}


def test_without_a_mongodb_the_names_alone_are_compared(redis: str, settings: Settings) -> None:
    uri = f"mongodb://127.0.0.1:{free_port()}"
    assert home.asked(uri, "koinx_demo_usd") is None
    silent = settings.model_copy(update={"mongodb_uri": SecretStr(uri)})
    assert doctor._home(silent) is None
    claim(redis, "koinx_demo_usd", "a")
    claim(redis, "koinx_demo_usd")
    with pytest.raises(OtherHome, match=r"in another MongoDB \(home a\)"):
        claim(redis, "koinx_demo_usd", "b")
