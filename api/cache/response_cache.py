"""Ready-made answers, kept by one process while no update ends."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from sys import getsizeof

SUPERSEDED = "koinx.overtaken"  # in the environment of a request: its answer is not to be kept
Headers = list[tuple[str, str]]
Count = Callable[[float], None]

LONGEST_SECONDS = 30.0  # how long an answer is kept, should nothing be heard of an update
AGES_SECONDS = 1.0  # how long one is kept that says an age, as its weak tag tells
MOST_BYTES = 32 * 1024 * 1024  # /stats of all of CoinGecko's 17,500 coins takes about 18 MB
ENTRY_BYTES = 320  # of an answer in the dictionary, with its times and its place


# All of a GET request that its answer depends on: path, query, whether gzip is liked, Host.
Key = tuple[str, str, bool, str | None]


def _uncounted(_: float) -> None:
    """Counts nothing."""


class Kept:
    """An answer as it was sent, good until a monotonic time.

    `count` counts one that is sent, by the seconds that it took; `rule` is what it counts under.
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
        count: Count = _uncounted,
    ) -> None:
        self.rule = rule
        self.count = count
        self.body = body
        self.etag = etag
        longest = AGES_SECONDS if etag.startswith("W/") else LONGEST_SECONDS
        self.until = now + min(max_age, longest)
        self._deadline = now + max_age
        self._plain = [(name, value) for name, value in headers if name != "Cache-Control"]
        self.headers: Headers = []
        self.fresh_until = float("-inf")  # till then its headers are right, and so is the answer
        self.refresh(now, self.fresh_until)
        self.size = sum(map(getsizeof, self._parts())) + ENTRY_BYTES

    def _parts(self) -> Iterator[object]:
        yield from (self, self.body, self.etag, self.rule, self._plain, self.headers)
        for pair in self.headers:
            yield from (pair, *pair)

    def refresh(self, now: float, trusted_until: float) -> None:
        """Has its headers say for how many seconds a client may keep it from now on."""
        left = max(0, int(self._deadline - now))
        self.headers = [*self._plain, ("Cache-Control", f"max-age={left}")]
        self.fresh_until = min(now + 1, self.until, trusted_until)


class ResponseCache:
    """The answers of one process, all dropped when there is news.

    Nobody gets an older quote from it after a newer one. A view says of each coin that it shows
    how new it found it, before it answers. All answers kept at once agree on each coin: a view
    that found a newer quote first drops what is there; one that found an older quote is not kept,
    nor what was computed since before the last drop.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._kept: dict[Key, Kept] = {}
        self._computing: dict[Key, threading.Event] = {}
        self._generation = 0
        self._newest: dict[str, datetime] = {}  # seen since the last news, by coin
        self._recorded: datetime | None = None  # when the last of all those was
        self._trusted_until = float("-inf")
        self._lock = threading.Lock()

    @property
    def generation(self) -> int:
        """How often all was dropped: ask before an answer is computed."""
        return self._generation

    def get(self, key: Key, now: float) -> Kept | None:
        """The answer, if it is still good."""
        kept = self._kept.get(key)
        if kept is None or now < kept.fresh_until:
            return kept
        if now >= kept.until or now >= self._trusted_until:
            return None
        kept.refresh(now, self._trusted_until)
        return kept

    def is_trusted(self, now: float) -> bool:
        """Whether the ledger was looked at lately: else nothing is known of news."""
        return now < self._trusted_until

    def trust(self, until: float) -> None:
        """No update has ended that was not told of: answers may be given until then."""
        self._trusted_until = until

    def keep(self, generation: int, key: Key, kept: Kept) -> None:
        """Keeps an answer whose computing began in `generation`; the oldest make room for it."""
        with self._lock:
            if generation != self._generation:
                return
            self._remove(key)
            self._kept[key] = kept
            self._bytes += _size(key, kept)
            while self._bytes > self._most_bytes:
                self._remove(next(iter(self._kept)))

    def drop(self) -> None:
        """There is news: forgets every answer. Does not wait."""
        with self._lock:
            self._drop()
            # Else each coin's first newer quote would drop all that was computed since.
            self._newest, self._recorded = {}, None

    def saw(self, found: Mapping[str, datetime], recorded_at: datetime) -> bool:
        """A view found the newest quote of each of these coins to be of a time of the source's own,
        and the last of them to be recorded at `recorded_at`.

        Drops what may be older. False: another view has seen a newer quote of a coin, so this
        one's answer is not to be kept. A coin without any quote counts too: as of long ago.

        When it was recorded is not enough: that is the same for all quotes of an update, which
        can't all be read at once, and another worker's clock may be behind. But it tells of an
        update that other coins will have a newer quote of as well.
        """
        with self._lock:
            known = [(at, self._newest.get(coin, at)) for coin, at in found.items()]
            newest = max(recorded_at, self._recorded or recorded_at)
            if newest != (self._recorded or newest) or any(at > seen for at, seen in known):
                self._drop()
            self._recorded = newest
            for coin, (at, seen) in zip(found, known, strict=True):
                self._newest[coin] = max(at, seen)
            return all(at >= seen for at, seen in known)

    def begin(self, key: Key) -> tuple[threading.Event, bool]:
        """What tells that an answer was computed, and whether it is the caller who computes it.

        Who does must `end` it; others may wait.
        """
        with self._lock:
            running = self._computing.get(key)
            if running is not None:
                return running, False
            return self._computing.setdefault(key, threading.Event()), True

    def end(self, key: Key, event: threading.Event) -> None:
        """Tells all who wait that the answer was computed, or that it could not be."""
        with self._lock:
            # Else it was dropped meanwhile, and another has begun since.
            if self._computing.get(key) is event:
                del self._computing[key]
        event.set()

    def _drop(self) -> None:
        self._kept = {}
        self._bytes = 0
        self._generation += 1
        # Who asks from now on must not wait for an answer that was begun before the news.
        waiting, self._computing = self._computing, {}
        for event in waiting.values():
            event.set()

    def _remove(self, key: Key) -> None:
        old = self._kept.pop(key, None)
        if old is not None:
            self._bytes -= _size(key, old)


def _size(key: Key, kept: Kept) -> int:
    """What an answer takes in memory, in bytes; some of its texts are others' as well."""
    return kept.size + getsizeof(key) + sum(map(getsizeof, key))
