"""Updates in the ledger, open and closed."""

from datetime import UTC, datetime

from market.ledger.ledger import Ledger
from market.model.quotes import SkippedCoin

NOW = datetime.now(UTC)


def closed(ledger: Ledger, name: str, state: str, error: str | None = None) -> None:
    """Enters an update, and ends it as a worker does."""
    ledger.receive(name, trigger="event", slot=None, hops={})
    close(ledger, name, state, error)


def close(ledger: Ledger, name: str, state: str, error: str | None = None) -> None:
    claim = ledger.claim(name, "w", NOW)
    assert claim is not None
    ledger.close(
        claim,
        state=state,
        hops={"fetched": NOW},
        counts={"asked": 2, "stored": 1},
        skipped=[SkippedCoin("odd", "its price is null")],
        error=error,
    )
