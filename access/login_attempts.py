"""Limits failed logins: counts wrong keys and passwords per caller."""

import hmac
import secrets
import time

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage, Storage
from limits.strategies import FixedWindowRateLimiter

import logs
from access.local_calls import client_key
from logs.redaction import plain

log = logs.get(__name__)

ATTEMPTS_PER_MINUTE = 10
STORAGE_PAUSE = 5.0  # seconds without using the shared storage after it failed


class LoginAttempts:
    """Allows ten wrong keys or passwords per minute; then rejects even the right one for a while.

    Attempts are counted in `shared`, for all processes, and in this process, which continues
    while `shared` does not answer. Repeating the same one is no further attempt: an open page or
    a script with an old password locks nobody out.
    """

    def __init__(self, shared: Storage | None = None) -> None:
        self._limit = RateLimitItemPerMinute(ATTEMPTS_PER_MINUTE, namespace="koinx-guesses")
        self._own = FixedWindowRateLimiter(MemoryStorage())
        self._shared = FixedWindowRateLimiter(shared) if shared else None
        self._repetition = RateLimitItemPerMinute(1, namespace="koinx-guessed")
        self._hash_key = secrets.token_bytes(32)  # wrong passwords often resemble the right one
        self._paused_until = 0.0  # on the monotonic clock

    def retry_after(self, address: str) -> int | None:
        """Returns the seconds until a caller may try again; None if it may at once."""
        caller = client_key(address)
        for limiter in self._limiters():
            try:
                if not limiter.test(self._limit, caller):
                    end, _ = limiter.get_window_stats(self._limit, caller)
                    return max(1, round(end - time.time()))
            except Exception as error:  # the storages have no common error class
                self._pause(error)
        return None

    def record_failure(self, address: str, attempt: str) -> None:
        """Counts a wrong key or password."""
        caller = client_key(address)
        digest = hmac.digest(self._hash_key, attempt.encode(errors="replace"), "sha256").hex()
        if not self._own.hit(self._repetition, caller, digest):
            return
        for limiter in self._limiters():
            try:
                limiter.hit(self._limit, caller)
            except Exception as error:  # as above
                self._pause(error)

    def _limiters(self) -> list[FixedWindowRateLimiter]:
        paused = time.monotonic() < self._paused_until
        return [self._own] if self._shared is None or paused else [self._own, self._shared]

    def _pause(self, error: Exception) -> None:
        self._paused_until = time.monotonic() + STORAGE_PAUSE
        log.warning("login attempts counted in this process only", reason=plain(error))
