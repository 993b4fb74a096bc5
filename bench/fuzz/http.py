"""Hostile HTTP: requests made from the OpenAPI document, and bytes that no client would send."""

import json
import os
import random
import socket
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from settings import ROOT

SECONDS = 10.0  # no request may take longer
PATHS = (
    *("/stats", "/deviation", "/health", "/ready", "/v1/coins", "/v1/updates", "/nope"),
    *("/v1/coins/bitcoin", "/v1/updates/x", "/docs/assets/x", "/openapi.json", "/trigger-update"),
)
METHODS = ("GET", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "get", "FOO")
NAMES = ("coin", "page", "page_size", "sort", "search", "id", "coin[$gt]", "%00", "")
VALUES = (
    *("9" * 5000, "9" * 4000, str(10**18), str(2**63), "-1", "0", "1e9", "NaN", "٣", "null"),
    *("%00", "%ff%fe", "%zz", "%", "%ed%a0%80", "%0d%0aSet-Cookie:a=b", "%F0%9F%92%A9", "[$gt]"),
    *("../../etc/passwd", "%2e%2e%2f", "{{7*7}}", "<script>", "' OR 1=1", ".*(", "a" * 60_000),
)
HEADERS = (
    *(b"Host: [", b"Host: \xff", b"Origin: http://[", b"Origin: null", b"X-API-Key: \xff\xfe"),
    *(b"X: " + b"a" * 200_000, b"\r\n".join(b"X%d: a" % i for i in range(500)), b"Cookie: \xff=;"),
    *(b"Accept: text/html", b"Range: bytes=9-1", b"If-Modified-Since: \xff", b"Upgrade: websocket"),
    *(b"Content-Type: text/html", b"Content-Type: \xff", b"Transfer-Encoding: odd", b": a", b"a"),
    *(b"Content-Length: -1", b"Content-Length: 9999999999999999999999", b"X: a\x00b", b"X : a"),
)
BODIES = (
    *(b"[" * 60_000, b"{", b"\xff\xfe", b'{"a":' + b"9" * 5000 + b"}", b"a" * 70_000),
    *(b"<a/>", b"\x00" * 9, b"--x\r\n"),
)
TYPES = (b"application/json", b"multipart/form-data", b"text/plain; charset=odd", b"\xff", b"")


@dataclass
class Tally:
    """How many requests had which status, and what was wrong with the answers."""

    statuses: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    @property
    def requests(self) -> int:
        """How many were sent."""
        return sum(self.statuses.values())


def raw_requests(seed: int) -> Iterator[bytes]:
    """Requests without end, most of them malformed; the same for the same seed."""
    dice = random.Random(seed)
    yield from (b"GET /health\r\n\r\n", bytes(range(256)) * 10, b"\x16\x03\x01\x02" + b"a" * 99)
    yield b"GET //evil/v1/coins HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n"
    while True:
        if dice.random() < 0.05:
            yield dice.randbytes(dice.randrange(1, 400)) + b"\r\n\r\n"
        else:
            yield _request(dice)


def _request(dice: random.Random) -> bytes:
    path = dice.choice(PATHS)
    if dice.random() < 0.3:
        path += "/" + dice.choice(VALUES)
    if dice.random() < 0.7:
        pairs = (f"{dice.choice(NAMES)}={dice.choice(VALUES)}" for _ in range(dice.randint(1, 3)))
        path += "?" + "&".join(pairs)
    # A POST that is good in all else starts an update, of which 60 a minute are allowed.
    method = "POST" if dice.random() < 0.1 else dice.choice(METHODS)
    lines = [f"{method} {path} HTTP/1.1".encode(), b"Host: 127.0.0.1"]
    lines += [dice.choice(HEADERS)] if dice.random() < 0.3 else []
    body = dice.choice(BODIES) if method == "POST" or dice.random() < 0.1 else b""
    if body:
        length = b"Content-Length: %d" % len(body)
        lines += [b"Content-Type: " + dice.choice(TYPES), length]
    return b"\r\n".join([*lines, b"Connection: close", b"", body])


def send_raw(url: str, count: int, seed: int) -> Tally:
    """Sends raw requests, each on a connection of its own, and judges the answers."""
    tally = Tally()
    address = (urlsplit(url).hostname, urlsplit(url).port)
    for _, request in zip(range(count), raw_requests(seed), strict=False):
        try:
            answer = _exchange(address, request)
        except TimeoutError:
            tally.statuses["none"] += 1
            tally.faults.append(f"no answer within {SECONDS:.0f} s: {request[:200]!r}")
            continue
        tally.statuses[answer[9:12].decode("latin-1") or "closed"] += 1
        if (wrong := fault_of(answer)) is not None:
            tally.faults.append(f"{wrong}: {request[:200]!r} was answered {answer[:300]!r}")
    return tally


def _exchange(address: tuple[str | None, int | None], request: bytes) -> bytes:
    answer = b""
    with socket.create_connection(address, timeout=SECONDS) as connection:
        try:
            connection.sendall(request)
            while chunk := connection.recv(65_536):
                answer += chunk
        except (ConnectionResetError, BrokenPipeError):
            pass  # refused before all of it was read
    return answer


def fault_of(answer: bytes) -> str | None:
    """What is wrong with a raw answer, or None; a connection just closed is no fault."""
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    if not first:
        return None
    status = first[9:12].decode("latin-1")
    if not status.isdigit() or not first.startswith(b"HTTP/1."):
        return "no HTTP"
    headers = {name.lower(): value.strip() for name, _, value in (x.partition(b":") for x in lines)}
    content_type = headers.get(b"content-type", b"").decode("latin-1")
    return wrong(int(status), content_type, body)


def wrong(status: int, content_type: str, body: bytes) -> str | None:
    """What is wrong with an answer of the API, or None."""
    if status >= 500:
        return f"status {status}"
    if b"Traceback" in body:
        return "a traceback"
    # The server itself refuses what is no HTTP, with a status alone.
    if "html" in content_type or body[:200].lstrip().lower().startswith((b"<!doctype", b"<html")):
        return "HTML"
    if status >= 400 and body and body[:1] == b"{":
        found = json.loads(body)
        if not {"code", "status", "message", "errors"} <= found.keys():
            return "an error in another form"
    return None


def fuzz(url: str, examples: int, seed: int) -> Tally:
    """Runs schemathesis over the whole document, with `examples` for each operation."""
    with tempfile.TemporaryDirectory() as folder:
        statuses = Path(folder, "statuses")
        ran = subprocess.run(
            [
                str(Path(sys.executable).with_name("schemathesis")),
                *("run", f"{url}/openapi.json", "--checks", "all"),
                # An unknown coin is well formed, and rightly a 400.
                *("--exclude-checks", "positive_data_acceptance"),
                *("--max-examples", str(examples), "--seed", str(seed), "--continue-on-failure"),
                *("--no-color", "--warnings", "off", "--no-shrink"),
                *("--request-timeout", str(SECONDS), "--generation-database", "none"),
            ],
            cwd=folder,  # where it leaves a folder of its own
            env=os.environ
            | {
                "PYTHONPATH": str(ROOT),
                "SCHEMATHESIS_HOOKS": "bench.fuzz.schemathesis_hooks",
                "HOSTILE_STATUSES": str(statuses),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        counted = json.loads(statuses.read_text()) if statuses.exists() else {}
    faults = [] if ran.returncode == 0 else [ran.stdout[-4000:] + ran.stderr[-2000:]]
    return Tally(Counter(counted), faults)
