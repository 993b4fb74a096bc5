"""A crowd of connections that ask nothing, or read nothing, at the API as it runs in use."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
import requests

from api.exports.streaming import MAX_CONCURRENT_EXPORTS
from bench.harness.services import wait_until
from cli.migrate import prepare
from market.storage.database import connect
from settings import Settings
from settings.open_files import raise_limit
from tests.harness.export_data import insert, records
from tests.harness.granian import granian

CROWD = 1_100
SOON = 3.0  # seconds; the server gives a head 5
HOST = b"Host: 127.0.0.1\r\n"
JSON = b"Content-Type: application/json\r\n"
PARTS = {
    "nothing": b"",
    "half a line": b"GET /hea",
    "half a head": b"GET /health HTTP/1.1\r\n" + HOST + b"X-Long: ",
    "a long head": b"GET /health HTTP/1.1\r\n" + HOST + b"X-Long: " + b"x" * 8_000,
    "a head for a body": b"POST /v1/repairs HTTP/1.1\r\n"
    + HOST
    + JSON
    + b"Content-Length: 99\r\n\r\n{",
    "half a chunk": b"POST /v1/repairs HTTP/1.1\r\n"
    + HOST
    + JSON
    + b"Transfer-Encoding: chunked\r\n\r\nff\r\n{",
    "a body nobody reads": b"GET /health HTTP/1.1\r\n" + HOST + b"Content-Length: 99\r\n\r\n{",
    "an answer nobody reads": b"GET /openapi.json HTTP/1.1\r\n" + HOST + b"\r\n",
}
EXPORT = b"GET /v1/quotes/export HTTP/1.1\r\n" + HOST + b"\r\n"


@pytest.fixture(scope="module", autouse=True)
def _files() -> None:
    raise_limit()


def opened(stack: ExitStack, url: str, part: bytes) -> socket.socket:
    made = stack.enter_context(socket.socket())
    made.settimeout(10)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    made.connect((urlsplit(url).hostname, urlsplit(url).port))
    made.sendall(part)
    return made


def is_open(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        while connection.recv(65_536):
            pass
    except BlockingIOError:
        return True
    except OSError:
        pass
    return False


def answers_soon(url: str, path: str) -> bool:
    begun = time.monotonic()
    answer = requests.get(url + path, timeout=30, headers={"Connection": "close"})
    assert time.monotonic() - begun < SOON, path
    return answer.ok


@pytest.fixture
def api(settings: Settings, tmp_path: Path) -> Iterator[tuple[str, psutil.Process]]:
    prepare(settings)
    insert(connect(settings.server("mongodb_uri"), settings.database), records("bitcoin", 60_000))
    with granian(settings, tmp_path) as (url, server):
        yield url, server


@pytest.mark.row("crowd")
def test_whoever_holds_connections_holds_nobody_up(api: tuple[str, psutil.Process]) -> None:
    """One server for all of it, since it takes seconds to start."""
    url, _ = api
    for what, part in PARTS.items():
        with ExitStack() as stack:
            crowd = [opened(stack, url, part) for _ in range(CROWD)]
            assert answers_soon(url, "/health"), what
            # Those that are refused are worked on for a moment too.
            wait_until(lambda: answers_soon(url, "/stats?coin=bitcoin"), what, SOON)
            assert answers_soon(url, "/health"), what
            if what in ("nothing", "half a line", "half a head", "a long head"):
                wait_until(lambda: not any(map(is_open, crowd)), f"the end of {what}", 10)  # noqa: B023

    # Slow readers of exports, and senders of bodies, go within two windows of 30 s
    wait_until(lambda: answers_soon(url, "/stats?coin=bitcoin"), "the crowd's last answers")
    with ExitStack() as stack:
        readers = [opened(stack, url, EXPORT) for _ in range(MAX_CONCURRENT_EXPORTS)]
        assert [one.recv(12) for one in readers] == [b"HTTP/1.1 200"] * MAX_CONCURRENT_EXPORTS
        assert requests.get(f"{url}/v1/quotes/export", timeout=5).status_code == 503
        halves = [opened(stack, url, PARTS["a head for a body"]) for _ in range(20)]

        def freed() -> bool:
            for one in readers:
                with suppress(OSError):
                    one.recv(1)
            time.sleep(0.2)
            return requests.head(f"{url}/v1/quotes/export", timeout=5).ok

        wait_until(freed, "a place for an export", 75)
        wait_until(lambda: not any(map(is_open, halves)), "the end of half a body", 75)
