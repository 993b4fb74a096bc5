"""Health checks: ask a process for an answer the way its users do."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

from supervisor.embedded.replica_set import is_primary

RETRY_INTERVAL = 0.1  # seconds between checks of a process that does not answer yet
TIMEOUT = 2.0
HEARTBEAT_TIMEOUT = 15.0
IDLE_TIMEOUT = 30.0  # seconds without a task, though one was waiting, that show a wedged worker

Check = Callable[[], bool]


@dataclass(frozen=True)
class Probe:
    """How to check a process: `kind` names one of `CHECKS`, `target` what to ask there.

    A process that answers is checked again every `interval` seconds.
    """

    kind: str
    target: str
    interval: float = 2.0

    def check(self) -> Check:
        """Returns a function that checks once; it returns False, or raises, on failure."""
        return CHECKS[self.kind](self.target)


def _http(url: str) -> Check:
    address = urlsplit(url)

    def check() -> bool:
        connection = HTTPConnection(address.hostname or "", address.port, timeout=TIMEOUT)
        with contextlib.closing(connection):
            connection.request("GET", address.path or "/", headers={"Connection": "close"})
            return connection.getresponse().status == 200

    return check


def _exchange(url: str, request: bytes, is_complete: Callable[[bytes], bool]) -> bytes:
    """Sends lines of a text protocol; reads until the answer is complete, or the stream ends."""
    address = urlsplit(url)
    with socket.create_connection((address.hostname or "", address.port or 0), TIMEOUT) as server:
        server.settimeout(TIMEOUT)
        server.sendall(request)
        received = b""
        while not is_complete(received) and (part := server.recv(65536)):
            received += part
        return received


def _redis(url: str) -> Check:
    secret = urlsplit(url).password
    lines = [*([f"AUTH {secret}"] if secret else []), "PING"]
    request = "".join(f"{line}\r\n" for line in lines).encode()
    return lambda: (
        b"+PONG" in _exchange(url, request, lambda received: received.count(b"\n") == len(lines))
    )


def _nats(url: str) -> Check:
    address = urlsplit(url)
    options = {"verbose": False, "user": address.username, "pass": address.password}
    request = f"CONNECT {json.dumps(options)}\r\nPING\r\n".encode()

    def check() -> bool:
        received = _exchange(url, request, lambda received: b"PONG\r\n" in received)
        greeting, _, rest = received.partition(b"\r\n")
        features = json.loads(greeting.removeprefix(b"INFO "))
        return b"PONG" in rest and features.get("jetstream") is True

    return check


def _worker(target: str) -> Check:
    """`target` is the node's name, the broker's URL and the heartbeat file, separated by spaces.

    A worker that answers may have stopped taking tasks. It counts as wedged when it started none
    for IDLE_TIMEOUT seconds in which one was always waiting: beat, which queues one every 5 s, is
    running, or messages are in its queues.
    """
    # Celery takes a third of a second to import; only this thread waits for it.
    from supervisor.celery_client import CeleryClient  # noqa: PLC0415

    node, url, file = target.split(" ", 2)
    client = CeleryClient(url, TIMEOUT)
    took_task = _change(Path(file))
    beat_runs = _heartbeat(str(Path(file).with_name("beat.json")))
    idle_since = time.monotonic()

    def check() -> bool:
        nonlocal idle_since
        waiting = client.queue_length(node)
        if took_task() or not (beat_runs() or waiting):
            idle_since = time.monotonic()
        return waiting is not None and time.monotonic() - idle_since < IDLE_TIMEOUT

    return check


def _heartbeat(file: str) -> Check:
    """Checks that the file's content keeps changing; its content at first proves nothing."""
    has_changed = _change(Path(file))
    changed_at: float | None = None

    def check() -> bool:
        nonlocal changed_at
        if has_changed():
            changed_at = time.monotonic()
        return changed_at is not None and time.monotonic() - changed_at < HEARTBEAT_TIMEOUT

    return check


def _change(path: Path) -> Check:
    """Checks whether the file's content has changed since the last check."""
    content = _content(path)

    def check() -> bool:
        nonlocal content
        before, content = content, _content(path) or content
        return content != before

    return check


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


CHECKS: dict[str, Callable[[str], Check]] = {
    "http": _http,
    "redis": _redis,
    "nats": _nats,
    "mongodb": lambda url: lambda: is_primary(url),
    "worker": _worker,
    "heartbeat": _heartbeat,
}


class HealthMonitor(threading.Thread):
    """Checks one process repeatedly, in its own thread: a hang must not block the supervisor."""

    def __init__(self, probe: Probe) -> None:
        super().__init__(name=f"{probe.kind} health", daemon=True)
        self._probe = probe
        self._stopped = threading.Event()
        self.ready = False
        self.last_answer: float | None = None  # on the monotonic clock

    def run(self) -> None:
        """Checks until `stop()`."""
        check = self._probe.check()
        while not self._stopped.is_set():
            try:
                self.ready = check()
            except Exception:  # whatever went wrong, there was no good answer
                self.ready = False
            if self.ready:
                self.last_answer = time.monotonic()
            self._stopped.wait(self._probe.interval if self.ready else RETRY_INTERVAL)

    def stop(self) -> None:
        """Stops checking; does not wait for a check in progress."""
        self._stopped.set()
        self.ready = False
