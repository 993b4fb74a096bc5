"""Streams and the durable consumer: as decided, mended where they differ, refused where not."""

from contextlib import closing
from dataclasses import replace

import pytest
from nats.aio.client import Client
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DiscardPolicy,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)

from bridge.connection import Connection
from bridge.streams import (
    CONSUMER,
    CONSUMER_CONFIG,
    DEAD_LETTERS,
    EVENTS,
    EVENTS_CONFIG,
    WrongStream,
    prepare,
)


def stream(connection: Connection, name: str = EVENTS) -> StreamConfig:
    async def work(client: Client) -> StreamConfig:
        return (await client.jetstream().stream_info(name)).config

    return connection.run(work, 5)


def consumer(connection: Connection) -> ConsumerConfig:
    async def work(client: Client) -> ConsumerConfig:
        found: ConsumerConfig = (await client.jetstream().consumer_info(EVENTS, CONSUMER)).config
        return found

    return connection.run(work, 5)


@pytest.mark.row("nats-killed")
@pytest.mark.row("bridge-killed")
def test_events_are_kept_on_disk_until_one_process_has_them(connection: Connection) -> None:
    found = stream(connection)
    assert found.subjects == ["crypto.update"]
    assert found.retention == RetentionPolicy.WORK_QUEUE
    assert found.storage == StorageType.FILE
    assert found.duplicate_window == 3600
    assert found.discard == DiscardPolicy.NEW
    assert found.max_bytes == 128 * 1024 * 1024


def test_dead_letters_are_kept_on_disk_the_newest_staying(connection: Connection) -> None:
    found = stream(connection, DEAD_LETTERS)
    assert found.subjects == ["crypto.dead"]
    assert found.storage == StorageType.FILE
    assert found.discard == DiscardPolicy.OLD


@pytest.mark.row("delivered-often")
@pytest.mark.row("api-killed")
def test_the_consumer_is_one_durable_for_all(connection: Connection) -> None:
    found = consumer(connection)
    assert found.durable_name == "ingest"
    assert found.ack_policy == AckPolicy.EXPLICIT
    assert (found.ack_wait, found.max_ack_pending, found.max_deliver) == (5, 16, -1)


def test_a_second_time_changes_nothing_and_loses_nothing(connection: Connection) -> None:
    async def publish(client: Client) -> None:
        await client.jetstream().publish("crypto.update", b"x")

    async def stored(client: Client) -> int:
        return (await client.jetstream().stream_info(EVENTS)).state.messages

    connection.run(publish, 5)
    before = stream(connection), consumer(connection)
    connection.run(prepare, 5)
    assert (stream(connection), consumer(connection)) == before
    assert connection.run(stored, 5) == 1


def test_what_differs_is_brought_back(connection: Connection) -> None:
    async def change(client: Client) -> None:
        js = client.jetstream()
        await js.add_consumer(EVENTS, replace(CONSUMER_CONFIG, ack_wait=30, max_ack_pending=1))
        await js.update_stream(replace(EVENTS_CONFIG, duplicate_window=60))

    connection.run(change, 5)
    assert (consumer(connection).ack_wait, stream(connection).duplicate_window) == (30, 60)
    connection.run(prepare, 5)
    assert (consumer(connection).ack_wait, stream(connection).duplicate_window) == (5, 3600)
    assert consumer(connection).max_ack_pending == 16


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (StreamConfig(name="OTHER", subjects=["crypto.*"]), "subjects overlap"),
        (StreamConfig(name=EVENTS, subjects=["crypto.update"]), "retention policy"),
    ],
)
def test_a_stream_in_the_way_is_named_with_the_reason(
    nats: str, other: StreamConfig, reason: str
) -> None:
    async def occupy(client: Client) -> None:
        await client.jetstream().add_stream(other)

    with closing(Connection(nats, "test")) as connection:
        connection.run(occupy, 5)
        with pytest.raises(WrongStream, match=f"NATS refuses the stream {EVENTS}: .*{reason}"):
            connection.run(prepare, 5)


def test_a_dead_letter_stream_in_the_way_is_the_one_named(nats: str) -> None:
    async def occupy(client: Client) -> None:
        await client.jetstream().add_stream(StreamConfig(name="OTHER", subjects=["crypto.dead"]))

    with closing(Connection(nats, "test")) as connection:
        connection.run(occupy, 5)
        with pytest.raises(WrongStream, match=f"NATS refuses the stream {DEAD_LETTERS}: subjects"):
            connection.run(prepare, 5)


def test_a_consumer_in_the_way_is_named_with_the_reason(connection: Connection) -> None:
    async def occupy(client: Client) -> None:
        js = client.jetstream()
        await js.delete_consumer(EVENTS, CONSUMER)
        await js.add_consumer(EVENTS, replace(CONSUMER_CONFIG, durable_name="other"))

    connection.run(occupy, 5)
    with pytest.raises(WrongStream, match=r"NATS refuses the consumer ingest: .*workqueue"):
        connection.run(prepare, 5)
