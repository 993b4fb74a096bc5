"""Repairs carried out against the simulator's charts and scripted ones, kept in MongoDB."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo.database import Database

from bench.harness.services import SimulatorControl, keep, quote
from market.analytics.statistics import deviation
from market.gap_repair.queue import MAX_ATTEMPTS, RepairQueue, RepairRequest
from market.gap_repair.worker import EDGE, run_repair
from market.schedule.slots import Schedule
from market.sources.coingecko import DAY, CoinGecko
from market.sources.http import Deadline, SourceError
from market.storage.database import MARKS, REPAIRED, REPAIRS, Document
from market.storage.quote_history import QuoteHistory
from market.storage.quote_store import QuoteStore

QUARTERS = Schedule("*/15 * * * *")
QUARTER = timedelta(minutes=15)
START = QUARTERS.current(datetime.now(UTC) - timedelta(days=3)).replace(hour=0, minute=0)


def current() -> datetime:
    """The slot that the test runs in: a chart of the last day reaches back from now."""
    return QUARTERS.current(datetime.now(UTC))


def in_the_last_day(end: datetime) -> int:
    """How many slots before `end` the chart of the last day is asked for, now.

    Its first point may lie a minute inside the day: with it, the number falls as a slot passes.
    """
    return (end - (datetime.now(UTC) - DAY + EDGE)) // QUARTER


Mender = Callable[..., Document]


class Scripted:
    """A source that answers every chart with the same, and keeps what it was asked."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[int] = []

    def chart(self, coin: str, currency: str, *, days: int, deadline: Deadline) -> Any:
        assert (coin, currency) == ("bitcoin", "usd")
        assert deadline.remaining() > 1
        self.asked.append(days)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def mended(database: Database[Document]) -> Mender:
    repairs, history = RepairQueue(database), QuoteHistory(database)

    def done(charts: Any, start: datetime, end: datetime) -> Document:
        repairs.add([RepairRequest("bitcoin", start, end, 0)], datetime.now(UTC))
        repair = repairs.claim()
        assert repair is not None
        run_repair(
            repair,
            repairs=repairs,
            history=history,
            charts=charts,
            schedule=QUARTERS,
            currency="usd",
            label="simulator",
        )
        found = database[REPAIRS].find_one({"_id": repair.id})
        assert found is not None
        return found

    return done


def test_the_last_day_is_mended_slot_by_slot_and_before_it_by_the_hour(
    mended: Mender, source: CoinGecko, database: Database[Document]
) -> None:
    # When
    end = current()
    most = in_the_last_day(end)
    repair = mended(source, end - timedelta(hours=32), end)
    # Then the last day has its slots, and the rest its hours
    assert (repair["state"], repair["empty"]) == ("done", 128)
    assert in_the_last_day(end) <= repair["mended"]["300"] <= most
    assert 8 <= repair["mended"]["3600"] <= 9
    stored = list(database[REPAIRED].find().sort("_id", -1))
    assert len(stored) == sum(repair["mended"].values())
    # and every one is a point of the source's chart, to the last digit
    charts = [source.chart("bitcoin", "usd", days=n, deadline=Deadline(5)) for n in (1, 2)]
    points = {(time, price) for chart in charts for time, price in chart["prices"]}
    assert all((round(q["_id"]["at"].timestamp() * 1000), q["price"]) in points for q in stored)
    history = QuoteHistory(database).records("bitcoin", limit=100, repaired=True)
    assert len(history) == 100


def test_a_stretch_of_many_slots_takes_no_longer_for_each(
    mended: Mender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{__name__}.QUARTERS", Schedule("*/5 * * * * *"))
    end, begun = current(), time.process_time()
    repair = mended(Scripted({"prices": []}), end - timedelta(hours=20), end)
    assert (repair["state"], repair["empty"]) == ("done", 20 * 3600 / 5)
    assert time.process_time() - begun < 3  # seconds; 5 when the set is made anew for each


def test_three_hours_offline_are_mended_and_the_rest_left_alone(
    mended: Mender, source: CoinGecko, database: Database[Document], store: QuoteStore
) -> None:
    # Given a quote for each slot but those of three hours
    first, gap = current() - timedelta(hours=9), range(12, 24)
    for number in range(36):
        if number not in gap:
            at = first + number * QUARTER - timedelta(seconds=20)
            keep(store, quote("bitcoin", 1000.0 + number, at), recorded_at=at)
    # When
    repair = mended(source, first + 12 * QUARTER, first + 24 * QUARTER)
    # Then
    assert (repair["empty"], repair["mended"]) == (12, {"300": 12})
    history = QuoteHistory(database)
    recorded = history.records("bitcoin", limit=100)
    both = history.records("bitcoin", limit=100, repaired=True)
    assert (len(recorded), len(both)) == (24, 36)
    assert {one.resolution for one in both[12:24]} == {300}
    assert all(one.resolution is None for one in [*both[:12], *both[24:]])
    # and the deviation with and without them is that of the numbers themselves
    chart = source.chart("bitcoin", "usd", days=1, deadline=Deadline(5))
    nearest = [
        min(chart["prices"], key=lambda p: abs(p[0] / 1000 - slot.timestamp()))[1]
        for slot in (first + n * QUARTER for n in gap)
    ]
    own = [1000.0 + n for n in range(36) if n not in gap]
    assert deviation([one.price for one in recorded]) == pytest.approx(deviation(own), rel=1e-12)
    assert deviation([one.price for one in both]) == pytest.approx(
        deviation([*own, *nearest]), rel=1e-12
    )


def test_what_the_source_has_no_point_for_stays_a_gap(mended: Mender) -> None:
    # Given a chart that ends before the stretch, but for two points and a null
    times = [current() - timedelta(hours=12) + n * timedelta(minutes=5) for n in range(100)]
    prices: list[list[float | None]] = [[t.timestamp() * 1000, 5.0] for t in times]
    prices += [[(current() - 2 * QUARTER).timestamp() * 1000, None]]
    prices += [[(current() - QUARTER).timestamp() * 1000, 6.0]]
    repair = mended(Scripted({"prices": prices}), current() - 4 * QUARTER, current())
    assert (repair["state"], repair["empty"], repair["mended"]) == ("done", 4, {"300": 1})


def test_what_is_not_empty_costs_no_call(mended: Mender, store: QuoteStore) -> None:
    at = current() - QUARTER
    keep(store, quote("bitcoin", 1.0, at))
    repair = mended(Scripted(), at, current())
    assert (repair["state"], repair["empty"], repair["mended"]) == ("done", 0, {})


def test_each_age_has_the_finest_chart_that_reaches_it(mended: Mender) -> None:
    charts = Scripted({"prices": []}, {"prices": []}, {"prices": []})
    mended(charts, current() - timedelta(days=100), current())
    assert charts.asked == [1, 90, 101]


def test_a_coin_that_the_source_does_not_know_ends_its_repair(mended: Mender) -> None:
    error = SourceError("answered 404: coin not found", permanent=True, unknown=True)
    repair = mended(Scripted(error), current() - QUARTER, current())
    assert (repair["state"], repair["error"]) == ("failed", str(error))


@pytest.mark.parametrize("permanent", [False, True])
def test_a_source_that_fails_never_ends_a_repair(
    database: Database[Document], mended: Mender, permanent: bool
) -> None:
    # Given an outage, or a key that is refused, for longer than any number of tries
    error = SourceError("api.coingecko.com is down", permanent=permanent)
    for _ in range(2 * MAX_ATTEMPTS):
        with pytest.raises(SourceError):
            mended(Scripted(error), START, START + QUARTER)
        database[REPAIRS].update_many({}, {"$set": {"not_before": None}})
    # When it is back
    prices = [[START.timestamp() * 1000, 5.0], [(START + QUARTER).timestamp() * 1000, 6.0]]
    repair = mended(Scripted({"prices": prices}), START, START + QUARTER)
    # Then
    assert (repair["state"], sum(repair["mended"].values())) == ("done", 1)


def test_a_source_that_asks_to_wait_ends_the_run(
    mended: Mender, database: Database[Document]
) -> None:
    limited = SourceError("limits the calls (429)", retry_after=119)
    with pytest.raises(SourceError):
        mended(Scripted(limited), current() - QUARTER, current())
    [repair] = database[REPAIRS].find()
    assert repair["state"] == "waiting"
    assert repair["not_before"] > datetime.now(UTC) + timedelta(seconds=100)


def test_an_answer_that_is_no_chart_is_named(mended: Mender) -> None:
    repair = mended(Scripted(["what?"]), current() - QUARTER, current())
    assert (repair["state"], repair["error"]) == ("waiting", "the reply has no list of prices")


def test_a_repair_that_died_goes_on_where_it_stopped(
    mended: Mender, source: CoinGecko, database: Database[Document], simulator: SimulatorControl
) -> None:
    # Given one that stored the last day and then lost its source
    end = current()
    start = end - timedelta(hours=32)
    day = source.chart("bitcoin", "usd", days=1, deadline=Deadline(5))
    most = in_the_last_day(end)
    with pytest.raises(SourceError):
        mended(Scripted(day, SourceError("gone")), start, end)
    kept = database[REPAIRED].count_documents({})
    assert in_the_last_day(end) <= kept <= most
    # When
    database[REPAIRS].update_many({}, {"$set": {"not_before": None}})
    second = mended(source, start, end)
    # Then
    assert second["empty"] == 128 - kept
    assert database[REPAIRED].count_documents({}) == kept + sum(second["mended"].values())


def test_what_is_no_longer_kept_is_not_taken_for_empty(
    mended: Mender, source: CoinGecko, database: Database[Document]
) -> None:
    kept_from = START + 8 * QUARTER
    database[MARKS].insert_one({"_id": "bitcoin", "kept_from": kept_from})
    first = kept_from + QUARTER  # the slot before it may have its quote where it is gone
    done = mended(source, START, START + 16 * QUARTER)
    assert done["empty"] == 7
    assert all(one["_id"]["at"] > first - QUARTER / 2 for one in database[REPAIRED].find())
    assert mended(source, START, kept_from)["empty"] == 0
