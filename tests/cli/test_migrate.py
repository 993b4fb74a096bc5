"""Preparing: safe to repeat, and stopped by what is wrong with one line that says so."""

from collections.abc import Iterator
from contextlib import closing

import pytest
from nats.aio.client import Client
from nats.js.api import StreamConfig
from pymongo import MongoClient
from pymongo.database import Database

from bench.harness.services import free_port
from bridge.connection import Connection
from market.storage.database import Document
from tests.harness.migration import prepare, refusal

pytestmark = [pytest.mark.system, pytest.mark.usefixtures("environment")]


@pytest.fixture
def empty(mongodb: str) -> Iterator[Database[Document]]:
    """A database that nobody has prepared."""
    with MongoClient[Document](mongodb) as client:
        client.drop_database("koinx_demo_usd")
        yield client["koinx_demo_usd"]
        client.drop_database("koinx_demo_usd")


def test_it_makes_everything_and_a_second_time_changes_nothing(
    empty: Database[Document], nats: str
) -> None:
    async def made(client: Client) -> object:
        js = client.jetstream()
        return (
            (await js.stream_info("CRYPTO")).config,
            (await js.stream_info("CRYPTO_DEAD")).config,
            (await js.consumer_info("CRYPTO", "ingest")).config,
        )

    found = []
    with closing(Connection(nats, "test")) as connection:
        for _ in range(2):
            ran = prepare()
            assert (ran.returncode, ran.stdout, ran.stderr) == (0, "prepared koinx_demo_usd\n", "")
            collections = sorted(empty.list_collection_names())
            indexes = sorted(empty["updates"].index_information())
            found.append((collections, indexes, connection.run(made, 5)))
    assert found[0] == found[1]
    assert found[0][0] == [
        *(
            "coins",
            "daily",
            "daily_repaired",
            "held",
            "home",
            "hourly",
            "hourly_repaired",
            "latest",
        ),
        *("marks", "quotes", "repaired", "repairs", "schema", "updates"),
    ]
    assert "clusteredIndex" in empty["quotes"].options()


def test_quotes_that_are_not_clustered_stop_it(empty: Database[Document]) -> None:
    empty["quotes"].insert_one({"_id": 1})
    assert refusal() == (
        "koinx_demo_usd.quotes is not clustered by _id, so quotes could be stored twice: "
        "rename or drop it, and start again"
    )
    assert empty["quotes"].count_documents({}) == 1


def test_a_stream_in_the_way_stops_it(nats: str) -> None:
    async def occupy(client: Client) -> None:
        await client.jetstream().add_stream(StreamConfig(name="OTHER", subjects=["crypto.>"]))

    with closing(Connection(nats, "test")) as connection:
        connection.run(occupy, 5)
    assert refusal() == ("NATS refuses the stream CRYPTO: subjects overlap with an existing stream")


def test_nats_that_is_down_stops_it() -> None:
    port = free_port()
    line = refusal(NATS_URL=f"nats://127.0.0.1:{port}")
    assert line.startswith("NATS could not be reached: ")
    assert str(port) in line


def test_mongodb_that_is_down_stops_it() -> None:
    port = free_port()
    line = refusal(MONGODB_URI=f"mongodb://127.0.0.1:{port}/")
    assert line.startswith("MongoDB: ")
    assert str(port) in line


def test_a_wrong_setting_stops_it() -> None:
    ran = prepare(API_PORT="0")
    assert ran.returncode == 1
    assert "API_PORT='0': a whole number from 1 to 65535" in ran.stderr
    assert "Traceback" not in ran.stderr
