"""Dead letters: kept once, counted, and read newest first."""

from datetime import UTC, datetime, timedelta

import pytest
from nats.aio.client import Client

from bridge.connection import Connection
from bridge.dead_letters import DeadLetter, count, newest, put
from bridge.streams import DEAD_LETTERS

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def keep(connection: Connection, data: bytes, sequence: int) -> None:
    async def work(client: Client) -> None:
        await put(client, data, sequence=sequence, at=NOON, reason=f"number {sequence}")

    connection.run(work, 5)


def test_there_are_none_at_first(connection: Connection) -> None:
    assert (count(connection), newest(connection)) == (0, [])


def test_the_newest_come_first_and_no_more_than_asked_for(connection: Connection) -> None:
    for sequence in range(1, 6):
        keep(connection, b"x" * sequence, sequence)
    assert count(connection) == 5
    assert [letter.sequence for letter in newest(connection)] == [5, 4, 3, 2, 1]
    assert newest(connection, 2) == [
        DeadLetter("number 5", 5, 5, NOON, "xxxxx"),
        DeadLetter("number 4", 4, 4, NOON, "xxxx"),
    ]


@pytest.mark.row("poison")
def test_a_message_set_aside_twice_is_kept_once(connection: Connection) -> None:
    keep(connection, b"x", 7)
    keep(connection, b"x", 7)
    assert count(connection) == 1


@pytest.mark.row("poison")
def test_of_a_large_message_the_head_is_kept_as_text(connection: Connection) -> None:
    keep(connection, b"\xff\x00" * 512 * 1024, 1)
    (letter,) = newest(connection)
    assert letter.size == 1024 * 1024
    assert letter.head == "\ufffd\x00" * 2048


def test_a_letter_that_was_dropped_since_is_passed_over(connection: Connection) -> None:
    async def drop(client: Client) -> None:
        await client.jetstream().delete_msg(DEAD_LETTERS, 2)

    for sequence in (1, 2, 3):
        keep(connection, b"x", sequence)
    connection.run(drop, 5)
    assert [letter.sequence for letter in newest(connection)] == [3, 1]


@pytest.mark.row("poison")
@pytest.mark.parametrize("data", [b"", b"\xff", b"[1]", b'{"at": 1}', b'{"at": "2026-11-22"}'])
def test_what_others_write_there_hides_no_letter(connection: Connection, data: bytes) -> None:
    async def write(client: Client) -> None:
        await client.jetstream().publish("crypto.dead", data)

    keep(connection, b"x", 1)
    connection.run(write, 5)
    strange, ours = newest(connection)
    assert ours == DeadLetter("number 1", 1, 1, NOON, "x")
    assert strange.reason == "not written by KoinX"
    assert (strange.sequence, strange.size) == (2, len(data))
    assert strange.head == data.decode("utf-8", "replace")
    assert abs(strange.at - datetime.now(UTC)) < timedelta(seconds=30)
