"""Keeps a claim on an update alive while its work is done."""

import threading
from types import TracebackType

from pymongo.errors import PyMongoError

import logs
from logs.redaction import plain
from market.ledger.ledger import LEASE_SECONDS, Claim, LeaseLost, Ledger
from market.schedule.clock import elapsed

log = logs.get(__name__)

RENEW_SECONDS = 5


class Lease:
    """A context in which the claim is renewed every 5 s by a thread of its own.

    `fencing` calls `check()` before every write. A process that was frozen for longer than the
    lease, be it between the claim's answer and this context, learns it there by a clock of its
    own, even before MongoDB could tell it.
    """

    def __init__(self, ledger: Ledger, claim: Claim) -> None:
        self._ledger = ledger
        self.claim = claim
        self._held_until = claim.asked + LEASE_SECONDS
        self._lost = False
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
        """Raises LeaseLost when the claim is, or may be, another's by now."""
        if self._lost or elapsed() >= self._held_until:
            raise LeaseLost(f"the lease on update {self.claim.id} ran out")

    def _renew(self) -> None:
        while not self._ended.wait(RENEW_SECONDS):
            asked = elapsed()
            try:
                self._ledger.renew(self.claim)
            except LeaseLost:
                self._lost = True
                return
            except PyMongoError:
                continue  # unreachable for a moment; `check` knows how long it may go on
            except Exception as error:
                log.warning("the lease was not renewed", reason=plain(error))
                continue
            self._held_until = asked + LEASE_SECONDS
