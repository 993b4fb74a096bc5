"""Updates that reached their hops in so many seconds."""

from datetime import UTC, datetime, timedelta

from market.ledger.ledger import Ledger

START = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)


def end(ledger: Ledger, name: str, state: str, **seconds: float) -> None:
    """An update that reached its hops so many seconds after START."""
    hops = {hop: START + timedelta(seconds=after) for hop, after in seconds.items()}
    ledger.receive(name, trigger="event", slot=None, hops={"streamed": START})
    claim = ledger.claim(name, "worker", START)
    assert claim is not None
    ledger.close(claim, state=state, hops=hops, counts={}, skipped=[], error=None)
