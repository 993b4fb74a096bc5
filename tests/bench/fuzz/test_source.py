"""Whatever the source answers: no wrong quote, no crash, and the ledger says what was amiss.

`python -m bench.fuzz source` does it 500 times, through the worker.
"""

from datetime import UTC, datetime

import pytest
from pymongo.database import Database

from bench.fuzz.source import given, strike
from bench.harness.services import SimulatorControl
from market.ingest.outlier_filter import OutlierFilter
from market.ingest.run_update import UpdateContext, run_update
from market.ledger.lease import Lease
from market.ledger.ledger import Ledger
from market.schedule.slots import Schedule
from market.sources.coingecko import CoinGecko
from market.sources.http import Deadline, SourceError
from market.storage.database import Document
from market.storage.quote_store import QuoteStore
from settings import parse_coins

ANSWERS = 60


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("market.sources.http.FIRST_PAUSE", 0.001)


@pytest.mark.row("source-failing")
@pytest.mark.row("no-quote")
def test_hostile_answers_leave_no_wrong_quote_and_are_named(
    database: Database[Document],
    ledger: Ledger,
    store: QuoteStore,
    source: CoinGecko,
    simulator: SimulatorControl,
) -> None:
    def carry(name: str) -> Document:
        ledger.receive(name, trigger="event", slot=None, hops={})
        claim = ledger.claim(name, "worker", datetime.now(UTC))
        assert claim is not None
        with Lease(ledger, claim) as lease:
            run_update(
                lease,
                UpdateContext(
                    ledger=ledger,
                    store=store,
                    outlier_filter=OutlierFilter(database),
                    source=source,
                    schedule=Schedule("0 0 1 1 *"),
                    selection=parse_coins("bitcoin,ethereum,top:20"),
                    currency="usd",
                    label="simulator",
                ),
            )
        update = ledger.get(name)
        assert update is not None
        return update

    tally = strike(simulator, database, carry, ANSWERS, seed=1)
    assert tally.faults == []
    assert sum(tally.kinds.values()) == ANSWERS
    # The good rows among the hostile ones are kept, and the bad ones have names.
    assert tally.quotes > ANSWERS
    assert tally.named > ANSWERS
    assert set(tally.states) == {"done", "failed"}


@pytest.mark.parametrize("status", [200, 400])
@pytest.mark.parametrize("key", ["a", "error", "status"])
def test_an_object_as_deep_as_can_be_read_is_an_error_of_the_source(
    source: CoinGecko, simulator: SimulatorControl, key: str, status: int
) -> None:
    deep = f'{{"{key}":' * 1020 + "1" + "}" * 1020
    simulator.fault("body", body=deep, status=status, times=9)
    with pytest.raises(SourceError, match="nested too deeply to be shown"):
        source.markets("usd", deadline=Deadline(5), ids=["bitcoin"])


def test_more_coins_than_a_page_holds_are_refused(
    source: CoinGecko, simulator: SimulatorControl
) -> None:
    simulator.fault("body", body=f"[{'1,' * 249}1]")
    assert len(source.markets("usd", deadline=Deadline(5), ids=["bitcoin"])) == 250
    simulator.fault("body", body=f"[{'1,' * 250}1]")
    with pytest.raises(SourceError, match="returned 251 coins; a page has at most 250"):
        source.markets("usd", deadline=Deadline(5), ids=["bitcoin"])


def test_the_judge_reads_what_a_body_gave() -> None:
    body = {"kind": "body", "status": 200}
    assert given({**body, "body": '[{"id": "a", "current_price": 1}, 2]'}) == [("a", 1)]
    assert given({**body, "body": '[{"id": "a", "current_price": 1.}, {"id": "b"}]'}) == [
        ("b", None)
    ]
    for no_rows in ('{"id": "a"}', "[NaN]", "<html>", "[" * 9999):
        assert given({**body, "body": no_rows}) == []
    assert given({"kind": "body", "status": 404, "body": "[{}]"}) == []
