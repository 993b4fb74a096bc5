"""Renews the lease of a claim while its work is done."""

import threading
from math import inf
from types import TracebackType

from pymongo.errors import PyMongoError

import logs
from logs.redaction import plain
from market.ledger.claims import LeaseLost
from market.ledger.ledger import Ledger, UpdateClaim
from market.schedule.clock import elapsed

log = logs.get(__name__)

RENEW_SECONDS = 5


class Lease:
    """A context in which a thread of its own renews the claim every 5 s.

    `fencing` calls `check()` before every write. There, a process that was frozen for longer than
    the lease, even between the claim's reply and this context, learns it by its own clock, before
    MongoDB could say so.
    """

    def __init__(self, ledger: Ledger, claim: UpdateClaim) -> None:
        self._ledger = ledger
        self.claim = claim
        self._renewed = claim.asked
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="lease", daemon=True)

    def __enter__(self) -> "Lease":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join(timeout=RENEW_SECONDS)

    def check(self) -> None:
        """Raises LeaseLost when another process has, or may have, the claim."""
        self._ledger.check(self.claim, self._renewed)

    def _renew(self) -> None:
        while not self._ended.wait(RENEW_SECONDS):
            asked = elapsed()
            try:
                self._ledger.renew(self.claim)
            except LeaseLost:
                self._renewed = -inf
                return
            except PyMongoError:
                continue  # unreachable for a moment; `check` knows how long it may go on
            except Exception as error:
                log.warning("lease not renewed", reason=plain(error))
                continue
            self._renewed = asked
