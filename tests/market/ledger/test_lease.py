"""A lease on a claim: renewed while work goes on; its loss is known before anything is written."""

import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import enumerate as threads

import pytest
from pymongo.database import Database
from pymongo.errors import PyMongoError

from bench.harness.services import freeze, server, wait_until
from market.ledger.claims import LeaseLost
from market.ledger.lease import Lease
from market.ledger.ledger import Ledger, UpdateClaim
from market.storage.database import Document, connect, disconnect, prepare

AT = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)


@pytest.fixture
def claim(ledger: Ledger) -> UpdateClaim:
    ledger.receive("a", trigger="event", slot=None, hops={})
    made = ledger.claim("a", "first", AT)
    assert made is not None
    return made


def lease_until(ledger: Ledger) -> datetime:
    update = ledger.get("a")
    assert update is not None
    return update["lease_until"]  # type: ignore[no-any-return]


def test_a_lease_is_renewed_while_it_is_held(
    ledger: Ledger, claim: UpdateClaim, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("market.ledger.lease.RENEW_SECONDS", 0.02)
    with Lease(ledger, claim) as lease:
        for _ in range(2):
            before = lease_until(ledger)
            wait_until(lambda: lease_until(ledger) > before, "a renewal")  # noqa: B023
        lease.check()
    assert "lease" not in {thread.name for thread in threads()}


@pytest.mark.row("worker-killed")
def test_a_lease_that_another_took_is_lost(
    ledger: Ledger,
    claim: UpdateClaim,
    database: Database[Document],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("market.ledger.lease.RENEW_SECONDS", 0.02)
    with Lease(ledger, claim) as lease:
        lease.check()
        # When another process claims the update
        database["updates"].update_one({"_id": "a"}, {"$inc": {"fence": 1}})
        # Then

        def lost() -> bool:
            try:
                lease.check()
            except LeaseLost as error:
                assert str(error) == "the lease on update a expired"
                return True
            return False

        wait_until(lost, "the loss to be noticed, long before the lease is over", 5)


def test_a_lease_ends_by_its_own_clock_even_when_nobody_tells(
    ledger: Ledger, claim: UpdateClaim, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a process that was frozen for longer than its lease, and could not renew
    monkeypatch.setattr(Ledger, "lease_seconds", 0)
    with Lease(ledger, claim) as lease, pytest.raises(LeaseLost, match="update a expired"):
        lease.check()


@pytest.mark.row("mongodb-frozen")
def test_a_database_that_freezes_for_a_moment_costs_no_lease(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a MongoDB of its own and a wait shorter than in use
    monkeypatch.setattr("market.ledger.lease.RENEW_SECONDS", 0.02)
    with server("mongodb", tmp_path) as (url, process):
        prepare(connect(url, "koinx_demo_usd"))
        disconnect()
        monkeypatch.setattr("market.storage.database.TIMEOUT_MS", 300)
        ledger = Ledger(connect(url, "koinx_demo_usd"))
        try:
            ledger.receive("a", trigger="event", slot=None, hops={})
            claim = ledger.claim("a", "first", AT)
            assert claim is not None
            with Lease(ledger, claim) as lease:
                # When it stands still for so long that a renewal fails
                freeze(process)
                for _ in range(2):
                    with pytest.raises(PyMongoError):
                        ledger.renew(claim)
                process.send_signal(signal.SIGCONT)
                # Then the lease goes on, by more than the calls that still lay in its socket
                renewed = datetime.now(UTC) + timedelta(seconds=Ledger.lease_seconds + 0.5)
                wait_until(lambda: lease_until(ledger) > renewed, "a renewal afterwards")
                lease.check()
        finally:
            disconnect()


def test_an_error_inside_ends_the_renewals_and_goes_on(ledger: Ledger, claim: UpdateClaim) -> None:
    with pytest.raises(RuntimeError, match="broken"), Lease(ledger, claim):
        raise RuntimeError("broken")
    assert "lease" not in {thread.name for thread in threads()}
