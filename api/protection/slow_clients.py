"""Closes connections whose transfer makes no progress: they hold places that others need.

The server's own limit ends a request head that does not arrive. It has none for a body that never
arrives whole, or for a response that is read byte by byte: each would hold a thread, a place among
the exports or memory for as long as the client likes. Works on Linux; elsewhere it finds no
connection.
"""

import socket
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain

import logs
from api.exports.connection_abort import (
    Connection,
    Peer,
    acknowledged,
    connections,
    listening_ports,
    unacknowledged,
)
from logs.redaction import plain

log = logs.get(__name__)

CHECK_SECONDS = 5.0
# No response takes that long to begin, and an event stream sends something every 15 s.
WINDOW_SECONDS = 30.0
MIN_BYTES = 10_000 * 30  # that a client must read in a window while more is there for it


@dataclass(slots=True)
class _Window:
    start: float
    acknowledged: int
    is_behind: bool  # whether bytes waited for the client when it began


class ProgressMonitor:
    """Compares each connection's progress over its current window of 30 s."""

    def __init__(self) -> None:
        self._windows: dict[Peer, _Window] = {}

    def close_stalled(self, now: float, open_now: Iterable[tuple[Peer, Connection]]) -> int:
        """Shuts down the connections without progress in a window, at a monotonic time; returns
        their number."""
        before, self._windows = self._windows, {}
        closed = 0
        for peer, connection in open_now:
            old = before.get(peer)
            with suppress(OSError):  # the other end has closed it
                if old is not None and now - old.start < WINDOW_SECONDS:
                    self._windows[peer] = old
                    continue
                new = _Window(now, acknowledged(connection), unacknowledged(connection) > 0)
                if old is not None and _is_stalled(old, new):
                    connection.shutdown(socket.SHUT_RDWR)
                    closed += 1
                else:
                    self._windows[peer] = new
        return closed


def _is_stalled(old: _Window, new: _Window) -> bool:
    progress = new.acknowledged - old.acknowledged
    if progress < 0:
        return False  # another connection from the same address and port
    return progress == 0 or (old.is_behind and new.is_behind and progress < MIN_BYTES)


def watch_slow_clients() -> None:
    """Checks this process's connections every 5 s, in a thread of its own; returns at once."""

    def watch() -> None:
        monitor = ProgressMonitor()
        while True:
            time.sleep(CHECK_SECONDS)
            try:
                accepted = chain.from_iterable(map(connections, listening_ports()))
                if closed := monitor.close_stalled(time.monotonic(), accepted):
                    log.info("stalled connections closed", count=closed)
            except Exception as error:
                log.warning("connection check failed", reason=plain(error))

    threading.Thread(target=watch, name="slow-clients", daemon=True).start()
