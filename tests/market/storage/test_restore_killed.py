"""Restores that SIGKILL ends, that stand still, and that begin while another runs."""

import os
import signal
import subprocess
import sys
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest
from pymongo.database import Database

from bench.harness.services import keep, quote, wait_until
from market.ledger.claims import from_now
from market.storage import database as market_database
from market.storage.database import Document
from market.storage.quote_store import QuoteStore
from market.storage.restore import EXCHANGE, PREFIX, discard, finish_exchange, restore
from market.storage.restore_lock import CLAIMS, RestoreInProgress
from settings import ROOT
from tests.harness.backups import THEN, contents, file, filled
from tests.harness.killed_restore import restoring

pytestmark = pytest.mark.system

__all__ = ["file", "filled"]

SECONDS = 60


def _later(database: Database[Document]) -> None:
    """Has the claim's lease be over."""
    over = [{"$set": {"until": from_now(-1)}}]
    assert database[CLAIMS].update_one({}, over).modified_count


@pytest.mark.row("restore-killed")
@pytest.mark.parametrize(("then", "every"), [("start", 1), ("restore", 7)])
def test_a_process_that_dies_at_any_step_of_the_exchange_leaves_the_old_or_the_new(
    mongodb: str, filled: Database[Document], store: QuoteStore, file: Path, then: str, every: int
) -> None:
    new = contents(filled)
    ends = {"old": 0, "new": 0}
    for at in count(0, every):
        # Given a database that has gone on, and has a collection that the backup has not
        keep(store, quote("newer", 2.0, THEN + timedelta(days=1)))
        filled["another"].insert_one({"step": at})
        old = contents(filled)
        # When the process dies
        process = restoring(mongodb, filled.name, file, at=at)
        process.join(SECONDS)
        died = process.exitcode == -signal.SIGKILL
        assert died or process.exitcode == 0
        # Then what comes next finds all of the one or all of the other
        if then == "restore":
            if died:
                with pytest.raises(
                    RestoreInProgress, match=f"{file}, process {process.pid} on .* has run since"
                ):
                    restore(filled, file, replace=True)
                _later(filled)
            restore(filled, file, replace=True)
        else:
            finish_exchange(filled)
        market_database.prepare(filled)
        found = {n: one for n, one in contents(filled).items() if not n.startswith(PREFIX)}
        assert not list(filled[EXCHANGE].find())
        assert found in (old, new)
        ends["old" if found == old else "new"] += 1
        if not died:
            break
        discard(filled)
        filled[CLAIMS].delete_many({})
    assert not [name for name in filled.list_collection_names() if name.startswith(PREFIX)]
    assert (ends["old"], ends["new"] > 20 / every) == (1 if then == "start" else 0, True)


@pytest.mark.row("two-restores")
def test_a_second_restore_is_told_which_one_runs(
    filled: Database[Document], file: Path, environment: None
) -> None:
    new = contents(filled)
    ended: list[subprocess.CompletedProcess[str]] = []

    def tell(name: str, _: int) -> None:
        if not ended:
            command = [sys.executable, "-m", "cli.restore", str(file), "--replace"]
            ended.append(
                subprocess.run(
                    command, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS, check=False
                )
            )

    restore(filled, file, replace=True, report_progress=tell)
    assert ended[0].returncode == 1
    assert ended[0].stderr.startswith(
        f"a restore of {file}, process {os.getpid()} on {os.uname().nodename} has run since "
    )
    assert ended[0].stderr.endswith(
        "nothing was changed. Wait for its end: if it was killed, it ends by itself after 30 s\n"
    )
    market_database.prepare(filled)
    assert contents(filled) == new
    # One that comes after it is none
    restore(filled, file, replace=True)


@pytest.mark.row("two-restores")
def test_the_claim_of_one_that_was_killed_ends_by_itself(
    mongodb: str, filled: Database[Document], file: Path
) -> None:
    process = restoring(mongodb, filled.name, file, at=0, lease_seconds=5)
    process.join(SECONDS)
    assert process.exitcode == -signal.SIGKILL

    def restored() -> bool:
        try:
            restore(filled, file, replace=True)
        except RestoreInProgress:
            refused.append(1)
            return False
        return True

    refused: list[int] = []
    wait_until(restored, "the lease to end", 15)
    assert refused


@pytest.mark.row("two-restores")
def test_one_that_stood_still_for_longer_than_its_lease_changes_nothing_more(
    mongodb: str, filled: Database[Document], store: QuoteStore, file: Path
) -> None:
    process = restoring(mongodb, filled.name, file, at=-1, lease_seconds=1)
    assert process.pid is not None
    wait_until(lambda: _state(process.pid) == "T", "the stop")
    # When another has its turn, and the home goes on
    wait_until(lambda: filled[CLAIMS].find_one({"$expr": {"$lt": ["$until", "$$NOW"]}}), "the end")
    restore(filled, file, replace=True)
    market_database.prepare(filled)
    keep(store, quote("newer", 2.0, THEN + timedelta(days=1)))
    new = contents(filled)
    os.kill(process.pid, signal.SIGCONT)
    process.join(SECONDS)
    # Then
    assert process.exitcode == 1
    assert contents(filled) == new


def test_a_claim_from_before_the_clock_jumped_back_ends_as_well(
    filled: Database[Document], file: Path
) -> None:
    ahead = {"token": "a", "who": "b", "since": THEN, "until": THEN + timedelta(days=9999)}
    filled[CLAIMS].replace_one({"_id": "restore"}, ahead, upsert=True)
    restore(filled, file, replace=True)


def _state(pid: int | None) -> str:
    """A process's state, as /proc has it."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
