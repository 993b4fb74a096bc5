"""Hearing events beside those whose work they are."""

import asyncio

import pytest
from nats.errors import Error as NatsError

from bench.harness.services import free_port, wait_until
from cli.event_listener import connect, listening


def test_what_comes_by_is_heard_and_what_is_no_event_does_no_harm(nats: str) -> None:
    async def send() -> None:
        client = await connect(nats)
        for message in (b"\xff", b"[1]", b'{"id": "one"}'):
            await client.publish("some.subject", message)
        await client.publish("other.subject", b'{"id": "two"}')
        await client.drain()

    with listening(nats, "some.subject") as ear:
        asyncio.run(send())
        wait_until(lambda: ear.heard("one"), "the event")
        assert not ear.heard("two")


def test_a_nats_that_is_not_there_is_an_error() -> None:
    url = f"nats://127.0.0.1:{free_port()}"
    with pytest.raises((OSError, NatsError)), listening(url, "some.subject"):
        pytest.fail("nobody listens there")
