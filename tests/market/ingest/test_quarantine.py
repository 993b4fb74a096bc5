"""The collection of held ticks: each is entered once, and settled once."""

from datetime import UTC, datetime, timedelta

import pytest
from pymongo.database import Database

from bench.harness.services import quote
from market.ingest.quarantine import Quarantine
from market.model.documents import QuarantinedQuote
from market.storage.database import Document

AT = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)
SLIP = quote("coin", 1000.0, AT, market_cap=1e9, rank=3, image="https://example.org/coin.png")


@pytest.fixture
def held(database: Database[Document]) -> Quarantine:
    return Quarantine(database)


def test_a_tick_reads_back_whole_and_is_a_valid_document(held: Quarantine) -> None:
    held.add([(SLIP, "too high")], "first")
    (tick,) = held.all()
    assert tick.quote == SLIP
    assert (tick.held_by, tick.doubt, tick.state) == ("first", "too high", "held")
    assert (tick.settled_by, tick.evidence) == (None, None)
    held.settle([(SLIP, "dropped", "it fell back")], "second")
    (tick,) = held.all()
    assert (tick.state, tick.settled_by, tick.evidence) == ("dropped", "second", "it fell back")
    document = QuarantinedQuote.objects.get()
    document.validate()
    assert (document.key.coin, document.key.at) == ("coin", AT)
    assert document.quote["price"] == 1000.0


def test_the_first_to_hold_or_to_settle_a_tick_stands(held: Quarantine) -> None:
    other = quote("coin", 1001.0, AT + timedelta(minutes=15))
    held.add([(SLIP, "mine")], "first")
    held.add([(SLIP, "mine too"), (other, "this one")], "second")
    assert [(tick.held_by, tick.doubt) for tick in held.all()] == [
        ("first", "mine"),
        ("second", "this one"),
    ]
    held.settle([(SLIP, "released", "near")], "third")
    held.settle([(SLIP, "dropped", "far"), (other, "dropped", "far")], "fourth")
    assert [(tick.state, tick.settled_by) for tick in held.all()] == [
        ("released", "third"),
        ("dropped", "fourth"),
    ]
    # Settling what nobody held makes nothing
    held.settle([(quote("none", 1.0, AT), "dropped", "far")], "fifth")
    assert len(held.all()) == 2


def test_an_update_s_entry_names_what_it_did_itself(held: Quarantine) -> None:
    held.add([(SLIP, "too high")], "first")
    known = {"coin": "coin", "at": AT, "price": 1000.0}
    (tick,) = held.all()
    assert tick.entry("first") == known | {"state": "held", "reason": "too high"}
    held.settle([(SLIP, "released", "near")], "second")
    (tick,) = held.all()
    assert tick.entry("first") == known | {"state": "held", "reason": "too high"}
    assert tick.entry("second") == known | {"state": "released", "reason": "near"}
    assert tick.entry("third") is None


def test_what_was_settled_an_hour_ago_is_removed(
    held: Quarantine, database: Database[Document]
) -> None:
    coins = ("waits", "fresh", "old")
    held.add([(quote(coin, 1.0, AT), "why") for coin in coins], "first")
    held.settle([(quote(coin, 1.0, AT), "dropped", "$far") for coin in coins[1:]], "second")
    old = datetime.now(UTC) - timedelta(minutes=61)
    database["held"].update_one({"_id": {"coin": "old", "at": AT}}, {"$set": {"settled_at": old}})
    held.purge()
    known = {tick.quote.coin: tick.evidence for tick in held.all()}
    assert known == {"waits": None, "fresh": "$far"}


def test_nothing_to_enter_or_to_settle_writes_nothing(held: Quarantine) -> None:
    held.add([], "first")
    held.settle([], "first")
    assert held.all() == []
