"""The listener: hears each finished update, through restarts of NATS and past nonsense."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from nats.aio.client import Client

from bench.harness.services import address, free_port, server, wait_until
from bridge.connection import Connection
from bridge.events import UpdateFinished
from bridge.publisher import NotPublished, publish_update_finished
from bridge.subscriber import subscribe


def tell(connection: Connection, number: int) -> None:
    publish_update_finished(connection, UpdateFinished(f"u{number}", "done", number))


def hears(heard: list[UpdateFinished], connection: Connection, number: int) -> Callable[[], bool]:
    """Announces, and looks whether it was heard: news of the time without a listener is lost."""

    def look() -> bool:
        try:
            tell(connection, number)
        except NotPublished:
            return False
        return UpdateFinished(f"u{number}", "done", number) in heard

    return look


def test_each_process_hears_each_finished_update(nats: str) -> None:
    heard: list[list[UpdateFinished]] = [[], []]
    with (
        closing(Connection(nats, "teller")) as teller,
        closing(Connection(nats, "one")) as one,
        closing(Connection(nats, "other")) as other,
    ):
        for connection, into in ((one, heard[0]), (other, heard[1])):
            subscribe(connection, into.append)
            wait_until(hears(into, teller, 0), "the listener")
        for number in (1, 2, 3):
            tell(teller, number)
        last = UpdateFinished("u3", "done", 3)
        wait_until(lambda: all(last in into for into in heard), "the last update")
    for into in heard:
        assert [event.stored for event in into if event.stored] == [1, 2, 3]


def test_what_is_malformed_is_ignored(nats: str) -> None:
    heard: list[UpdateFinished] = []

    async def nonsense(client: Client) -> None:
        for payload in (b"", b"null", b"\xff", b"{}", b"[" * 5000):
            await client.publish("crypto.updated", payload)
        await client.flush()

    with closing(Connection(nats, "test")) as connection:
        subscribe(connection, heard.append)
        wait_until(hears(heard, connection, 0), "the listener")
        connection.run(nonsense, 5)
        wait_until(hears(heard, connection, 1), "the listener after nonsense")
    assert {event.id for event in heard} == {"u0", "u1"}


def test_a_connection_that_was_closed_is_made_anew(nats: str) -> None:
    heard: list[UpdateFinished] = []
    with closing(Connection(nats, "test")) as connection, closing(Connection(nats, "t")) as teller:
        subscribe(connection, heard.append)
        wait_until(hears(heard, teller, 1), "the listener")
        connection.run(lambda client: client.close(), 5)
        wait_until(hears(heard, teller, 2), "the listener on its new connection")


def test_it_waits_for_nats_and_outlives_its_restart(tmp_path: Path) -> None:
    port = free_port()
    heard: list[UpdateFinished] = []
    url = address("nats", port)
    with closing(Connection(url, "test")) as connection, closing(Connection(url, "t")) as teller:
        subscribe(connection, heard.append)
        with pytest.raises(NotPublished):
            tell(connection, 0)  # by then the listener has failed once as well
        for life in (1, 2):
            with server("nats", tmp_path, port):
                wait_until(hears(heard, teller, life), f"news in life {life} of NATS")
