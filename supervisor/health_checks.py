"""Whether a process answers, asked the way its users ask it."""

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

EAGER = 0.1  # seconds between two looks at what does not answer yet
TIMEOUT = 2.0
FRESH = 15.0  # seconds that a heartbeat is good for
IDLE = 30.0  # seconds without a task, though there was one, until a worker is taken for wedged

Check = Callable[[], bool]


@dataclass(frozen=True)
class Probe:
    """How to ask: `kind` names one of `KINDS`, `target` is the address, file or worker to ask.

    What answers is asked again every `calm` seconds.
    """

    kind: str
    target: str
    calm: float = 2.0

    def check(self) -> Check:
        """A function that asks once; it answers False, or raises, when there is no good answer."""
        return KINDS[self.kind](self.target)


def _http(url: str) -> Check:
    address = urlsplit(url)

    def check() -> bool:
        connection = HTTPConnection(address.hostname or "", address.port, timeout=TIMEOUT)
        with contextlib.closing(connection):
            connection.request("GET", address.path or "/", headers={"Connection": "close"})
            return connection.getresponse().status == 200

    return check


def _ask(url: str, request: bytes, ended: Callable[[bytes], bool]) -> bytes:
    """Send lines of a text protocol and read until the answer `ended`, the end or the limit."""
    address = urlsplit(url)
    with socket.create_connection((address.hostname or "", address.port or 0), TIMEOUT) as server:
        server.settimeout(TIMEOUT)
        server.sendall(request)
        heard = b""
        while not ended(heard) and (part := server.recv(65536)):
            heard += part
        return heard


def _redis(url: str) -> Check:
    secret = urlsplit(url).password
    lines = [*([f"AUTH {secret}"] if secret else []), "PING"]
    request = "".join(f"{line}\r\n" for line in lines).encode()
    return lambda: b"+PONG" in _ask(url, request, lambda heard: heard.count(b"\n") == len(lines))


def _nats(url: str) -> Check:
    address = urlsplit(url)
    options = {"verbose": False, "user": address.username, "pass": address.password}
    request = f"CONNECT {json.dumps(options)}\r\nPING\r\n".encode()

    def check() -> bool:
        heard = _ask(url, request, lambda heard: b"PONG\r\n" in heard)
        greeting, _, rest = heard.partition(b"\r\n")
        features = json.loads(greeting.removeprefix(b"INFO "))
        return b"PONG" in rest and features.get("jetstream") is True

    return check


def _worker(target: str) -> Check:
    """`target` is the node's name, the broker's URL and the heartbeat's file, with spaces between.

    A worker that answers may have stopped taking tasks. It is taken for wedged when it began none
    for IDLE seconds in which there always was one for it: beat runs, which gives it one every 5 s,
    or messages wait.
    """
    from supervisor.celery_client import Broker  # noqa: PLC0415 - a third of a second, in this thread alone

    node, url, file = target.split(" ", 2)
    broker = Broker(url, TIMEOUT)
    begins, beat = _change(Path(file)), _heartbeat(str(Path(file).with_name("beat.json")), FRESH)
    idle_since = time.monotonic()

    def check() -> bool:
        nonlocal idle_since
        waiting = broker.waiting(node)
        if begins() or not (beat() or waiting):
            idle_since = time.monotonic()
        return waiting is not None and time.monotonic() - idle_since < IDLE

    return check


def _heartbeat(file: str, within: float) -> Check:
    """The file's content changes; what it held before the first look proves nothing."""
    beats = _change(Path(file))
    changed: float | None = None

    def check() -> bool:
        nonlocal changed
        if beats():
            changed = time.monotonic()
        return changed is not None and time.monotonic() - changed < within

    return check


def _change(path: Path) -> Check:
    """Whether the file's content is another than at the last look."""
    seen = _content(path)

    def check() -> bool:
        nonlocal seen
        before, seen = seen, _content(path) or seen
        return seen != before

    return check


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


KINDS: dict[str, Callable[[str], Check]] = {
    "http": _http,
    "redis": _redis,
    "nats": _nats,
    "mongodb": lambda url: lambda: is_primary(url),
    "worker": _worker,
    "heartbeat": lambda file: _heartbeat(file, FRESH),
}


class Watch(threading.Thread):
    """Asks again and again, in a thread of its own: a server that hangs must not hold the loop."""

    def __init__(self, probe: Probe) -> None:
        super().__init__(name=f"watch {probe.kind}", daemon=True)
        self._probe = probe
        self._ended = threading.Event()
        self.ready = False
        self.last_answer: float | None = None  # on the monotonic clock

    def run(self) -> None:
        """Until `end()`."""
        check = self._probe.check()
        while not self._ended.is_set():
            try:
                self.ready = check()
            except Exception:  # whatever goes wrong here: it did not answer
                self.ready = False
            if self.ready:
                self.last_answer = time.monotonic()
            self._ended.wait(self._probe.calm if self.ready else EAGER)

    def end(self) -> None:
        """Ask no more; does not wait for the question that is under way."""
        self._ended.set()
        self.ready = False
