"""What open event streams cost everybody else: `python -m bench.perf.sse --listeners 200`.

Starts a demo system of its own, and asks for /health and /stats in turns, with and without open
streams. Prints the ratio of the median times of each round, then how soon after its end each
listener has an update. Exits with 1 when the usual ratio is over 1.2, or a listener waits over 1 s.
"""

import argparse
import http.client
import selectors
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

import requests

from api.resources.events import GONE_SECONDS
from bench.harness.system import System, running

PATHS = ("/health", "/stats?coin=bitcoin")
UPDATE = b"event: update"
RATIO = 1.2
SECONDS = 1.0


class Listeners:
    """Open streams, each on a connection of its own."""

    def __init__(self, url: str) -> None:
        self._address = (urlsplit(url).hostname, urlsplit(url).port)
        self._sockets = selectors.DefaultSelector()

    def open(self, count: int) -> list[int]:
        """Opens so many more; the statuses of their answers."""
        return [self._open_one() for _ in range(count)]

    def close(self) -> None:
        """Goes away without a word."""
        for key in list(self._sockets.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]
        self._sockets.close()
        self._sockets = selectors.DefaultSelector()

    def hear(self, seconds: float) -> list[float]:
        """When (Unix time) each that hears an update within `seconds` does so."""
        heard: dict[int, float] = {}
        left, end = len(self._sockets.get_map()), time.monotonic() + seconds
        while len(heard) < left and (wait := end - time.monotonic()) > 0:
            for key, _ in self._sockets.select(wait):
                if UPDATE in key.fileobj.recv(65_536):  # type: ignore[union-attr]
                    heard.setdefault(key.fd, time.time())
        return list(heard.values())

    def _open_one(self) -> int:
        connection = socket.create_connection(self._address, timeout=10)
        connection.sendall(b"GET /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        head = b""
        while b"\r\n\r\n" not in head:
            head += connection.recv(4096)
        status = int(head[9:12])
        if status == 200:
            self._sockets.register(connection, selectors.EVENT_READ)
        else:
            connection.close()
        return status


@contextmanager
def listening(url: str, count: int) -> Iterator[Listeners]:
    """So many listeners, all of whom found a place."""
    listeners = Listeners(url)
    try:
        statuses = listeners.open(count)
        assert set(statuses) <= {200}, statuses
        yield listeners
    finally:
        listeners.close()
        time.sleep(2 * GONE_SECONDS)  # until it shows that they have gone


def latency(url: str, path: str, count: int) -> float:
    """The median milliseconds of an answer, each on a connection of its own."""
    times = []
    for _ in range(count):
        begun = time.perf_counter()
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
        connection.request("GET", path)
        assert connection.getresponse().read()
        connection.close()
        times.append((time.perf_counter() - begun) * 1e3)
    return statistics.median(times)


def ratios(url: str, listeners: int, rounds: int, count: int) -> dict[str, list[float]]:
    """For each path the rounds' ratios: with listeners to without."""
    found: dict[str, list[float]] = {path: [] for path in PATHS}
    for _ in range(rounds):
        without = {path: latency(url, path, count) for path in PATHS}
        with listening(url, listeners):
            for path in PATHS:
                found[path].append(latency(url, path, count) / without[path])
    return found


def delays(system: System, listeners: int, updates: int) -> list[float]:
    """Seconds from an update's end until each listener has it; one who does not hear it has inf."""
    found: list[float] = []
    with listening(system.api, listeners) as all_of_them:
        for _ in range(updates):
            accepted = requests.post(f"{system.api}/v1/updates", timeout=10)
            heard = all_of_them.hear(15)
            ended = system.get(accepted.headers["Location"]).json()["finished_at"]
            end = datetime.fromisoformat(ended).timestamp()
            found += [at - end for at in heard] + [float("inf")] * (listeners - len(heard))
    return found


def spread(values: Sequence[float]) -> str:
    """Values from the least to the greatest."""
    return f"{statistics.median(values):.3f} ({min(values):.3f} to {max(values):.3f})"


def main() -> int:
    """Measures, and prints what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--listeners", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--requests", type=int, default=300)
    parser.add_argument("--updates", type=int, default=10)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as home,
        running(Path(home), "--demo", COINS="bitcoin,top:50", API_WORKERS="2") as system,
    ):
        latency(system.api, PATHS[1], options.requests)  # warm
        found = ratios(system.api, options.listeners, options.rounds, options.requests)
        for path, values in found.items():
            print(f"{path:<20} {options.listeners} listeners to none, ratio {spread(values)}")
        late = delays(system, options.listeners, options.updates)
        print(f"{len(late)} events, seconds after the update's end: {spread(late)}")
    held = all(statistics.median(values) <= RATIO for values in found.values())
    return 0 if held and max(late) <= SECONDS else 1


if __name__ == "__main__":
    sys.exit(main())
