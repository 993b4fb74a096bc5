"""Updates that end one after the other."""

from datetime import UTC, datetime, timedelta

from market.ledger.ledger import Ledger, UpdateClaim
from market.model.quotes import SkippedCoin

AT = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)


def claimed(ledger: Ledger, name: str) -> UpdateClaim:
    ledger.receive(name, trigger="event", slot=None, hops={})
    claim = ledger.claim(name, "w", AT)
    assert claim is not None
    return claim


def close(ledger: Ledger, claim: UpdateClaim, state: str = "done") -> None:
    left_out = [SkippedCoin("odd", "its price is null")]
    ledger.close(claim, state=state, hops={}, counts={}, skipped=left_out, error=None)


def slots(count: int) -> dict[str, datetime]:
    return {f"slot {n}": AT + n * timedelta(minutes=15) for n in range(count)}
