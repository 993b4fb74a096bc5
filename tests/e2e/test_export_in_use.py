"""Exports by the server that is in use: readers that leave, and a database that dies meanwhile."""

import socket
import subprocess
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse, IncompleteRead
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from pydantic import SecretStr

from api.exports.csv import BROKEN_OFF
from api.exports.streaming import MAX_CONCURRENT_EXPORTS
from bench.harness.services import server, wait_until
from market.storage.database import connect, disconnect, prepare
from settings import Settings
from tests.harness.export_data import insert, records
from tests.harness.granian import granian

PATH = "/v1/quotes/export"
COUNT = 60_000  # 8 MB, more than the buffers on the way hold
BUFFER = 65_536

Api = tuple[str, "subprocess.Popen[bytes]"]


@pytest.fixture
def api(settings: Settings, tmp_path: Path) -> Iterator[Api]:
    """The API's address, and its own MongoDB, with quotes in it."""
    with server("mongodb", tmp_path / "mongodb") as (url, mongod):
        database = connect(url, settings.database)
        prepare(database)
        insert(database, records("bitcoin", COUNT))
        disconnect()
        own = settings.model_copy(update={"mongodb_uri": SecretStr(url)})
        with granian(own, tmp_path) as (api, _):
            yield api, mongod


def begun(api: str) -> tuple[HTTPConnection, HTTPResponse]:
    """An export of which only the head is read."""
    address = (urlsplit(api).hostname, urlsplit(api).port)
    connection = HTTPConnection(f"{address[0]}:{address[1]}", timeout=30)
    connection.sock = socket.socket()
    connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
    connection.sock.settimeout(30)
    connection.sock.connect(address)
    connection.request("GET", PATH)
    return connection, connection.getresponse()


def test_readers_that_leave_and_a_database_that_dies(api: Api) -> None:
    """One server for all of it, since it takes seconds to start."""
    url, mongod = api

    # Given as many readers as there may be, who read no further
    readers = [begun(url) for _ in range(MAX_CONCURRENT_EXPORTS)]
    assert [answer.status for _, answer in readers] == [200] * MAX_CONCURRENT_EXPORTS
    # Then there is no place for another, and everything else is answered
    assert requests.get(f"{url}{PATH}", timeout=5).status_code == 503
    assert requests.get(f"{url}/health", timeout=5).ok
    # When they leave, there is
    for connection, answer in readers:
        answer.close()
        connection.close()
    wait_until(lambda: requests.head(f"{url}{PATH}", timeout=5).ok, "a place")
    whole = requests.get(f"{url}{PATH}", timeout=30)
    assert whole.content.count(b"\r\n") == COUNT + 1

    # When MongoDB dies under an export
    connection, answer = begun(url)
    mongod.kill()
    with pytest.raises(IncompleteRead) as broken:
        answer.read()
    connection.close()
    # Then the body has no end, and its last line says why
    body = broken.value.partial
    assert body.endswith(BROKEN_OFF)
    assert whole.content.startswith(body.removesuffix(BROKEN_OFF))
    assert 1 < body.count(b"\r\n") < COUNT
