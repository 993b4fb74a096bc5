"""Ends connections over which an answer makes no progress: they hold places that others need.

The server's own limit ends a head that does not arrive. Nothing of it ends a body that never comes
whole, or an answer that is read byte by byte: each would hold a thread, a place among the exports
or some memory for as long as its sender likes. On Linux; elsewhere no connection is found.
"""

import socket
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain

import logs
from api.exports.connection_abort import Connection, Peer, connections, listening, taken, waiting
from logs.redaction import plain

log = logs.get(__name__)

LOOK_SECONDS = 5.0
# No answer takes that long to begin, and a stream says something every 15 s.
WINDOW_SECONDS = 30.0
LEAST_BYTES = 10_000 * 30  # that a reader takes in a window while more is there for it


@dataclass(slots=True)
class _Window:
    since: float
    taken: int
    is_behind: bool  # whether something waited for the reader as it began


class ProgressMonitor:
    """What each connection did in its present window of 30 s."""

    def __init__(self) -> None:
        self._windows: dict[Peer, _Window] = {}

    def look(self, now: float, open_now: Iterable[tuple[Peer, Connection]]) -> int:
        """Shuts down those that made no progress in a window; their number. `now` is monotonic."""
        before, self._windows = self._windows, {}
        ended = 0
        for peer, connection in open_now:
            known = before.get(peer)
            with suppress(OSError):  # the other end has closed it
                if known is not None and now - known.since < WINDOW_SECONDS:
                    self._windows[peer] = known
                    continue
                new = _Window(now, taken(connection), waiting(connection) > 0)
                if known is not None and _is_stuck(known, new):
                    connection.shutdown(socket.SHUT_RDWR)
                    ended += 1
                else:
                    self._windows[peer] = new
        return ended


def _is_stuck(old: _Window, new: _Window) -> bool:
    progress = new.taken - old.taken
    if progress < 0:
        return False  # another connection from the same address and port
    return progress == 0 or (old.is_behind and new.is_behind and progress < LEAST_BYTES)


def watch_slow_clients() -> None:
    """Looks at the connections that this process has taken every 5 s; returns at once."""

    def look() -> None:
        pace = ProgressMonitor()
        while True:
            time.sleep(LOOK_SECONDS)
            try:
                taken_in = chain.from_iterable(map(connections, listening()))
                if ended := pace.look(time.monotonic(), taken_in):
                    log.info("connections ended that made no progress", count=ended)
            except Exception as error:
                log.warning("connections were not looked at", reason=plain(error))

    threading.Thread(target=look, name="pace", daemon=True).start()
