"""Caches finished responses in one process until an update ends."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from sys import getsizeof

SUPERSEDED = "koinx.superseded"  # in a request's environment: its response must not be cached
Headers = list[tuple[str, str]]
# All of a GET request that its response depends on: path, query, whether it accepts gzip, Host
Key = tuple[str, str, bool, str | None]

MAX_AGE_SECONDS = 30.0  # for changes that no update brings, such as quotes that retention deletes
AGE_SECONDS = 1.0  # for a response that states an age, as its weak tag tells
MAX_BYTES = 32 * 1024 * 1024  # /stats of all of CoinGecko's 17,500 coins takes about 18 MB
ENTRY_BYTES = 320  # of a response in the dictionary, with its times


class CachedResponse:
    """A response as it was sent, valid until a monotonic time.

    `count` counts one that is sent, given the seconds it took; `rule` is the route it counts under.
    """

    __slots__ = (
        *("_deadline", "_plain", "body", "count", "etag", "fresh_until"),
        *("headers", "rule", "size", "until"),
    )

    def __init__(
        self,
        headers: Sequence[tuple[str, str]],
        body: bytes,
        etag: str,
        max_age: int,
        now: float,
        *,
        rule: str = "",
        count: Callable[[float], None] = lambda _: None,
    ) -> None:
        self.rule = rule
        self.count = count
        self.body = body
        self.etag = etag
        longest = AGE_SECONDS if etag.startswith("W/") else MAX_AGE_SECONDS
        self.until = now + min(max_age, longest)
        self._deadline = now + max_age
        self._plain = [(name, value) for name, value in headers if name != "Cache-Control"]
        self.headers: Headers = []
        self.fresh_until = float("-inf")  # until then its headers are right, and so is the response
        self.refresh(now, self.fresh_until)
        self.size = sum(map(getsizeof, self._parts())) + ENTRY_BYTES

    def _parts(self) -> Iterator[object]:
        yield from (self, self.body, self.etag, self.rule, self._plain, self.headers)
        for pair in self.headers:
            yield from (pair, *pair)

    def refresh(self, now: float, trusted_until: float) -> None:
        """Rewrites `Cache-Control` to the seconds for which a client may still keep it."""
        left = max(0, int(self._deadline - now))
        self.headers = [*self._plain, ("Cache-Control", f"max-age={left}")]
        self.fresh_until = min(now + 1, self.until, trusted_until)


class ResponseCache:
    """The cached responses of one process, all dropped when an update ends.

    It never serves an older quote after a newer one. Before a view answers, it notes how new it
    found each coin that it shows. All responses cached at once agree on each coin: a view that
    finds a newer quote first clears the cache; the response of a view that found an older quote is
    not cached, nor is one whose computing began before the last clearing.
    """

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._responses: dict[Key, CachedResponse] = {}
        self._computing: dict[Key, threading.Event] = {}
        self._generation = 0
        self._newest: dict[str, datetime] = {}  # noted since the last update, by coin
        self._recorded: datetime | None = None  # when the last of them was recorded
        self._trusted_until = float("-inf")
        self._lock = threading.Lock()

    @property
    def generation(self) -> int:
        """How often the cache was cleared: read it before a response is computed."""
        return self._generation

    def get(self, key: Key, now: float) -> CachedResponse | None:
        """Returns the response if it is still valid."""
        cached = self._responses.get(key)
        if cached is None or now < cached.fresh_until:
            return cached
        if now >= cached.until or now >= self._trusted_until:
            return None
        cached.refresh(now, self._trusted_until)
        return cached

    def is_trusted(self, now: float) -> bool:
        """Whether the ledger was checked lately; otherwise an update may have ended unnoticed."""
        return now < self._trusted_until

    def trust(self, until: float) -> None:
        """Allows responses to be served until then: no update has ended unnoticed."""
        self._trusted_until = until

    def store(self, generation: int, key: Key, response: CachedResponse) -> None:
        """Caches a response whose computing began in `generation`; drops the oldest for room."""
        with self._lock:
            if generation != self._generation:
                return
            self._remove(key)
            self._responses[key] = response
            self._bytes += _size(key, response)
            while self._bytes > self._max_bytes:
                self._remove(next(iter(self._responses)))

    def clear(self) -> None:
        """Drops every response because an update has ended. Does not wait."""
        with self._lock:
            self._clear()
            # Otherwise each coin's first newer quote would clear all that was computed since.
            self._newest, self._recorded = {}, None

    def note_newest(self, found: Mapping[str, datetime], recorded_at: datetime) -> bool:
        """Notes the time of each coin's newest quote that a view found, and when the last of these
        quotes was recorded; drops what may be older.

        Returns False if another view has seen a newer quote of a coin, so that this view's
        response must not be cached. A coin without quotes counts too: as of long ago.

        `recorded_at` alone is not enough: all quotes of an update share it but cannot be read at
        once, and another worker's clock may be behind. But it reveals an update that has newer
        quotes of other coins too.
        """
        with self._lock:
            known = [(at, self._newest.get(coin, at)) for coin, at in found.items()]
            newest = max(recorded_at, self._recorded or recorded_at)
            if newest != (self._recorded or newest) or any(at > seen for at, seen in known):
                self._clear()
            self._recorded = newest
            for coin, (at, seen) in zip(found, known, strict=True):
                self._newest[coin] = max(at, seen)
            return all(at >= seen for at, seen in known)

    def begin(self, key: Key) -> tuple[threading.Event, bool]:
        """Returns the event that is set once the response is computed, and whether the caller is
        the one to compute it. The caller who computes it must `end` it; others may wait."""
        with self._lock:
            running = self._computing.get(key)
            if running is not None:
                return running, False
            return self._computing.setdefault(key, threading.Event()), True

    def end(self, key: Key, event: threading.Event) -> None:
        """Wakes all who wait for the response, whether it could be computed or not."""
        with self._lock:
            # The cache may have been cleared meanwhile, and another request have begun since.
            if self._computing.get(key) is event:
                del self._computing[key]
        event.set()

    def _clear(self) -> None:
        self._responses = {}
        self._bytes = 0
        self._generation += 1
        # A request from now on must not wait for a response that was begun before the update.
        waiting, self._computing = self._computing, {}
        for event in waiting.values():
            event.set()

    def _remove(self, key: Key) -> None:
        old = self._responses.pop(key, None)
        if old is not None:
            self._bytes -= _size(key, old)


def _size(key: Key, response: CachedResponse) -> int:
    """The bytes of memory that a response takes; other responses share some of its texts."""
    return response.size + getsizeof(key) + sum(map(getsizeof, key))
