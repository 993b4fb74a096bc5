"""The connection: one loop and one thread a process, its own after a fork, bounded waits."""

import asyncio
import gc
import os
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from nats.aio.client import Client

from bench.harness.services import address, free_port, freeze, server, wait_until
from bridge.connection import (
    CONNECT_SECONDS,
    DRAIN_SECONDS,
    Connection,
    NotConnected,
    split_credentials,
)
from bridge.events import UpdateRequested
from bridge.publisher import publish
from bridge.streams import EVENTS


async def number(client: Client) -> int | None:
    """The number that the server gave this connection; waits for its answer."""
    await client.flush(timeout=2)
    return client.client_id


async def stored(client: Client) -> int:
    return (await client.jetstream().stream_info(EVENTS)).state.messages


def loops() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "nats"]


@pytest.fixture
def silent() -> Iterator[str]:
    """A server that accepts and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"nats://127.0.0.1:{listener.getsockname()[1]}"


def test_all_threads_of_a_process_share_one_connection(nats: str) -> None:
    with closing(Connection(nats, "test")) as connection, ThreadPoolExecutor(8) as threads:
        numbers = set(threads.map(lambda _: connection.run(number, 5), range(40)))
        assert len(numbers) == 1
        assert len(loops()) == 1


def test_what_the_work_raises_is_raised(connection: Connection) -> None:
    async def work(_: Client) -> None:
        raise LookupError("nothing here")

    with pytest.raises(LookupError, match="nothing here"):
        connection.run(work, 5)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.row("forked")
def test_a_forked_child_has_a_connection_of_its_own(connection: Connection) -> None:
    publish(connection, UpdateRequested())
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = 0 if publish(connection, UpdateRequested(), within=5) == 2 else 2
            connection.close()
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert publish(connection, UpdateRequested(), within=5) == 3
    assert connection.run(stored, 5) == 3


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.row("forked")
def test_close_in_a_forked_child_leaves_the_parents_connection_alone(
    connection: Connection,
) -> None:
    before = connection.run(number, 5)
    started = time.monotonic()
    child = os.fork()
    if child == 0:
        try:
            connection.close()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert time.monotonic() - started < 2  # it waits for no loop that did not come along
    assert connection.run(number, 5) == before


def test_nats_that_is_down_is_told_in_time_and_reached_once_it_is_up(tmp_path: Path) -> None:
    port = free_port()
    with closing(Connection(address("nats", port), "test")) as connection:
        started = time.monotonic()
        with pytest.raises(NotConnected, match="NATS could not be reached"):
            connection.run(number, 10)
        assert time.monotonic() - started < CONNECT_SECONDS + 1
        with server("nats", tmp_path, port):
            assert connection.run(number, 5)


def test_a_server_that_never_answers_is_given_up(silent: str) -> None:
    with closing(Connection(silent, "test")) as connection:
        started = time.monotonic()
        with pytest.raises(NotConnected, match="NATS could not be reached: TimeoutError"):
            connection.run(number, 10)
        assert time.monotonic() - started < CONNECT_SECONDS + 1


def test_a_wait_shorter_than_connecting_ends_in_time_and_leaks_nothing(silent: str) -> None:
    with closing(Connection(silent, "test")) as connection:
        started = time.monotonic()
        with pytest.raises(TimeoutError):
            connection.run(number, 0.3)
        assert time.monotonic() - started < CONNECT_SECONDS
    gc.collect()  # a socket left open would be a ResourceWarning here


def test_what_nats_py_cancels_is_told_as_a_lost_connection(connection: Connection) -> None:
    async def flush(client: Client) -> None:
        flushed = asyncio.ensure_future(client.flush(timeout=5))
        while not client._pongs:
            await asyncio.sleep(0)
        client._pongs[0].cancel()  # as nats-py does when the connection is lost meanwhile
        await flushed

    with pytest.raises(NotConnected, match="the connection to NATS was lost"):
        connection.run(flush, 5)


def test_work_that_takes_too_long_is_ended(connection: Connection) -> None:
    ended = threading.Event()

    async def work(client: Client) -> None:
        try:
            await (await client.subscribe("nothing.comes")).next_msg(timeout=None)
        finally:
            ended.set()

    with pytest.raises(TimeoutError):
        connection.run(work, 0.2)
    assert ended.wait(1)


@pytest.mark.row("nats-killed")
def test_a_restart_of_nats_is_outlived(tmp_path: Path) -> None:
    port = free_port()
    with closing(Connection(address("nats", port), "test")) as connection:
        for _ in range(2):
            with server("nats", tmp_path, port):

                def answers() -> bool:
                    try:
                        return connection.run(number, 5) is not None
                    except Exception:
                        return False

                wait_until(answers, "the connection to come back", 10)


def test_close_leaves_nothing_and_may_be_used_again(nats: str) -> None:
    connection = Connection(nats, "test")
    connection.close()
    for _ in range(2):
        assert connection.run(number, 5)
        connection.close()
        connection.close()
        assert not loops()
    gc.collect()


def test_close_lets_what_runs_on_the_loop_end(nats: str) -> None:
    begun, ended = threading.Event(), threading.Event()

    async def work() -> None:
        try:
            begun.set()
            await asyncio.sleep(600)
        finally:
            await asyncio.sleep(0.05)
            ended.set()

    connection = Connection(nats, "test")
    asyncio.run_coroutine_threadsafe(work(), connection.loop())
    assert begun.wait(5)
    connection.close()
    assert ended.is_set()


def test_close_while_a_connection_is_just_made_closes_that_one_too(
    nats: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Client] = []
    connect = Client.connect

    async def stands_still_once_connected(self: Client, *arguments: Any, **named: Any) -> None:
        await connect(self, *arguments, **named)
        made.append(self)
        await asyncio.sleep(60)

    monkeypatch.setattr(Client, "connect", stands_still_once_connected)
    connection = Connection(nats, "test")
    connection.start(number, 5)
    wait_until(lambda: made, "a connection")
    connection.close()
    assert made[0].is_closed


def test_close_ends_a_connection_that_is_made_although_it_was_cancelled(
    nats: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, made = threading.Event(), list[Client]()
    connect = Client.connect

    async def connects_all_the_same(self: Client, *arguments: Any, **named: Any) -> None:
        begun.set()
        with suppress(asyncio.CancelledError):  # as wait_for may lose it
            await asyncio.sleep(60)
        connecting = asyncio.ensure_future(connect(self, *arguments, **named))
        while not connecting.done():
            with suppress(asyncio.CancelledError):
                await asyncio.shield(connecting)
        made.append(self)

    async def wait_for(work: Any, _: float) -> Any:
        return await work

    # The real one passes a cancellation on, unless what it waits for ends in the same moment.
    monkeypatch.setattr("bridge.connection.asyncio.wait_for", wait_for)
    monkeypatch.setattr(Client, "connect", connects_all_the_same)
    connection = Connection(nats, "test")
    connection.start(number, 5)
    assert begun.wait(5)
    connection.close()
    assert [client.is_closed for client in made] == [True]


def test_a_client_is_discarded_to_the_end_however_often_that_is_cancelled(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    close = Client.close

    async def closes_slowly(self: Client) -> None:
        await asyncio.sleep(0.05)
        await close(self)

    async def work(client: Client) -> bool:
        discarding = asyncio.ensure_future(connection._discard(client))
        for _ in range(3):
            await asyncio.sleep(0.01)
            discarding.cancel()
        await asyncio.wait([discarding])
        return client.is_closed

    monkeypatch.setattr(Client, "close", closes_slowly)
    assert connection.run(work, 5)


def test_close_is_quick_while_nats_is_down(tmp_path: Path) -> None:
    connection = Connection("", "test")
    with server("nats", tmp_path) as (url, _):
        connection = Connection(url, "test")
        connection.run(number, 5)
    started = time.monotonic()
    connection.close()
    assert time.monotonic() - started < 2
    assert not loops()
    gc.collect()


@pytest.mark.parametrize(
    ("url", "address", "credentials"),
    [
        ("nats://localhost:4222", "nats://localhost:4222", {}),
        ("tls://k:p%40ss%2Fword@h:1", "tls://h:1", {"user": "k", "password": "p@ss/word"}),
        ("nats://s%2Fcret@h", "nats://h", {"token": "s/cret"}),
        ("nats://k:@[::1]:4222", "nats://[::1]:4222", {"user": "k", "password": ""}),
    ],
)
def test_credentials_in_an_address_are_decoded(
    url: str, address: str, credentials: dict[str, str]
) -> None:
    assert split_credentials(url) == (address, credentials)


@pytest.mark.row("nats-half-open")
def test_close_does_not_wait_for_a_frozen_nats(tmp_path: Path) -> None:
    with server("nats", tmp_path) as (url, process):
        connection = Connection(url, "test")
        connection.run(number, 5)
        freeze(process)
        started = time.monotonic()
        connection.close()
        assert time.monotonic() - started < DRAIN_SECONDS
        assert not loops()
    gc.collect()
