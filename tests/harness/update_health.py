"""Updates that end in a state."""

from datetime import UTC, datetime

from market.ledger.ledger import Ledger


def end(ledger: Ledger, name: str, state: str, error: str | None = None) -> datetime:
    """An update that ends now; when it did, as the ledger has it."""
    ledger.receive(name, trigger="event", slot=None, hops={})
    claim = ledger.claim(name, "worker", datetime.now(UTC))
    assert claim is not None
    ledger.close(claim, state=state, hops={}, counts={}, skipped=[], error=error)
    found = ledger.get(name)
    assert found is not None
    return found["finished_at"]  # type: ignore[no-any-return]
