"""Wrong keys and passwords, counted by the address that they come from."""

import hmac
import secrets
import time

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage, Storage
from limits.strategies import FixedWindowRateLimiter

import logs
from access.local_calls import counted_as
from logs.redaction import plain

log = logs.get(__name__)

GUESSES_PER_MINUTE = 10
REST_SECONDS = 5.0  # for which counts that failed are not asked again


class Guesses:
    """Ten wrong ones in a minute; after that even the right one is not looked at until it is over.

    They are counted in `shared`, for all processes together, and in this process, which goes on
    while `shared` does not answer. The same one again is no further guess: an open page or a script
    that still has an old password locks nobody out.
    """

    def __init__(self, shared: Storage | None = None) -> None:
        self._item = RateLimitItemPerMinute(GUESSES_PER_MINUTE, namespace="koinx-guesses")
        self._own = FixedWindowRateLimiter(MemoryStorage())
        self._shared = FixedWindowRateLimiter(shared) if shared else None
        self._first = RateLimitItemPerMinute(1, namespace="koinx-guessed")
        self._chance = secrets.token_bytes(32)  # a wrong one is mostly nearly the right one
        self._rests_until = 0.0  # on the monotonic clock

    def wait(self, address: str) -> int | None:
        """Seconds until a key or a password from there is looked at again; None for at once."""
        caller = counted_as(address)
        for counts in self._counts():
            try:
                if not counts.test(self._item, caller):
                    end, _ = counts.get_window_stats(self._item, caller)
                    return max(1, round(end - time.time()))
            except Exception as error:  # of whichever client the storage has
                self._rest(error)
        return None

    def failed(self, address: str, guess: str) -> None:
        """Counts a wrong one."""
        caller = counted_as(address)
        digest = hmac.digest(self._chance, guess.encode(errors="replace"), "sha256").hex()
        if not self._own.hit(self._first, caller, digest):
            return
        for counts in self._counts():
            try:
                counts.hit(self._item, caller)
            except Exception as error:  # as above
                self._rest(error)

    def _counts(self) -> list[FixedWindowRateLimiter]:
        rests = time.monotonic() < self._rests_until
        return [self._own] if self._shared is None or rests else [self._own, self._shared]

    def _rest(self, error: Exception) -> None:
        self._rests_until = time.monotonic() + REST_SECONDS
        log.warning("guesses are counted in this process alone", reason=plain(error))
