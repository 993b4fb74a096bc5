"""Reliability: two homes on one NATS and Redis would take each other's events and tasks."""

import json
import os
import subprocess
import sys

import pytest
import redis as redis_client
from nats.aio.client import Client
from pymongo.database import Database

from bench.harness.services import free_port
from bridge import streams
from bridge.connection import Connection
from bridge.events import UpdateRequested
from bridge.publisher import publish
from cli.doctor import servers as doctor
from market.storage.database import Document
from settings import ROOT, Settings
from settings.home_claim import KEY, QUEUES, TAKE_OVER, OtherHome, claim
from tests.cli import test_migrate

pytestmark = pytest.mark.usefixtures("environment")


def second_home(*command: str) -> "subprocess.CompletedProcess[str]":
    """A process of the second home, until it ends."""
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        env=os.environ | {"CURRENCY": "eur"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def refused(*command: str) -> str:
    """With what a process of the second home ends."""
    ran = second_home(*command)
    assert ran.returncode == 1
    return ran.stderr.splitlines()[-1]


@pytest.mark.row("two-homes")
def test_a_second_home_is_refused_by_redis_and_says_what_to_do(
    redis: str, settings: Settings, database: Database[Document]
) -> None:
    assert test_migrate.prepare().returncode == 0
    said = (
        "REDIS_URL names a Redis that works for koinx_demo_usd, and koinx_demo_eur would take its "
        "tasks: give one of them another database number (such as redis://…/1) or another Redis; "
        f"if koinx_demo_usd is no longer used there, run {TAKE_OVER}"
    )
    assert test_migrate.refusal(CURRENCY="eur") == said

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
    assert test_migrate.prepare().returncode == 0
    other_redis = redis.removesuffix("/0") + "/1"
    said = test_migrate.refusal(CURRENCY="eur", REDIS_URL=other_redis)
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
    assert test_migrate.prepare().returncode == 0
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
    assert "works for koinx_demo_eur" in test_migrate.refusal()
    assert test_migrate.prepare(CURRENCY="eur").returncode == 0
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
    assert test_migrate.prepare().returncode == 0
    assert test_migrate.prepare(KOINX_HOME="/tmp/another").returncode == 0


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
    assert test_migrate.prepare(REDIS_URL=f"redis://127.0.0.1:{free_port()}/0").returncode == 0
