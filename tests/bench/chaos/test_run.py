"""Whether the system outlives a blow for each process, and whether what judges it finds faults."""

import math
from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bench.chaos.faults import KINDS, PROCESSES, Blow, plan
from bench.chaos.invariants import Evidence, check, explained
from bench.chaos.report import Report, Round, percentile
from bench.chaos.run import Options, run
from bench.chaos.served_log import Row, match, split

START = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)
SLOTS = 4
COINS = ("bitcoin", "ethereum", "tether")


@pytest.mark.row("beat-killed")
@pytest.mark.row("redis-killed")
@pytest.mark.row("redis-frozen")
@pytest.mark.row("mongodb-frozen")
def test_a_blow_for_each_process_loses_nothing(tmp_path: Path) -> None:
    report = run(tmp_path, Options(kills=len(PROCESSES), pause=(0.2, 1.5), freeze=4, every=2))
    assert report.good, "\n".join(report.lines())
    assert {one.blow.target for one in report.rounds} == set(PROCESSES)


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def sound() -> Evidence:
    """Four slots, the last one missed, each with a fresh quote of three coins."""
    updates: list[dict[str, Any]] = []
    quotes, served = [], []
    for number in range(SLOTS):
        slot = START + seconds(5 * number)
        update = {"_id": f"{slot:%Y-%m-%dT%H:%M:%SZ}", "trigger": "schedule", "slot": slot}
        update |= {"error": None, "fence": 1}
        if number == SLOTS - 1:
            reason = "nothing was running when it was due"
            end = {"state": "missed", "error": reason, "hops": {}, "finished_at": slot}
            updates.append(update | end)
            continue
        hops = {
            "published": slot,
            "claimed": slot + seconds(0.01),
            "fetched": slot + seconds(0.05),
        }
        count = {"asked": 3, "answered": 3, "stored": 3, "unchanged": 0, "left_out": 0}
        end = {"state": "done", "finished_at": slot + seconds(0.06)}
        updates.append(update | end | {"hops": hops, "counts": count})
        for place, coin in enumerate(COINS):
            row = Row(coin, slot - seconds(0.1 * place), 100.0 + number)
            served.append(row)
            key = {"coin": row.coin, "at": row.at}
            quotes.append({"_id": key, "price": row.price, "recorded_at": hops["fetched"]})
    return Evidence(updates, quotes, served, 5)


def kinds(evidence: Evidence) -> set[str]:
    return {breach.kind for breach in check(evidence)}


def test_what_is_sound_is_not_blamed() -> None:
    assert check(sound()) == []


def lose_a_quote(updates: list[Any], quotes: list[Any], served: list[Row]) -> None:
    del quotes[4]


def lose_a_quote_that_was_never_counted(
    updates: list[Any], quotes: list[Any], served: list[Row]
) -> None:
    del quotes[4]
    updates[1]["counts"] |= {"stored": 2, "unchanged": 1}


def lose_all_of_an_update(updates: list[Any], quotes: list[Any], served: list[Row]) -> None:
    del quotes[3:6]
    updates[1]["counts"] |= {"stored": 0, "unchanged": 3}


def store_a_quote_twice(updates: list[Any], quotes: list[Any], served: list[Row]) -> None:
    quotes.append(quotes[0])


def double_a_slot(updates: list[Any], quotes: list[Any], served: list[Row]) -> None:
    updates.append(updates[-1] | {"_id": "another"})


def leave_a_slot_out(updates: list[Any], quotes: list[Any], served: list[Row]) -> None:
    del updates[1]


def forget_the_missed_one(updates: list[Any], quotes: list[Any], served: list[Row]) -> None:
    updates[-1]["slot"] += seconds(5)


def leave_one_received(updates: list[Any], quotes: list[Any], served: list[Row]) -> None:
    updates[-1]["state"] = "received"


def leave_one_running(updates: list[Any], quotes: list[Any], served: list[Row]) -> None:
    updates[1]["state"] = "running"


def fail_without_an_excuse(updates: list[Any], quotes: list[Any], served: list[Row]) -> None:
    updates[-1] |= {"state": "failed", "error": "KeyError: 'price'"}


def fail_without_a_word(updates: list[Any], quotes: list[Any], served: list[Row]) -> None:
    updates[-1] |= {"state": "failed", "error": None}


def store_a_wrong_price(updates: list[Any], quotes: list[Any], served: list[Row]) -> None:
    quotes[4]["price"] = 1.0


def store_another_slot_s_price(updates: list[Any], quotes: list[Any], served: list[Row]) -> None:
    quotes[4]["price"] = quotes[1]["price"]


def store_what_was_never_served(updates: list[Any], quotes: list[Any], served: list[Row]) -> None:
    late = {"coin": "bitcoin", "at": START + seconds(60)}
    quotes.append({"_id": late, "price": 1.0, "recorded_at": START + seconds(61)})


def finish_without_an_answer(updates: list[Any], quotes: list[Any], served: list[Row]) -> None:
    del served[3:6]


def take_the_answer_of_another(updates: list[Any], quotes: list[Any], served: list[Row]) -> None:
    updates[1]["hops"] = updates[0]["hops"]
    updates[1]["counts"] |= {"stored": 0, "unchanged": 3}
    del quotes[3:6], served[3:6]


def take_an_answer_from_before_its_claim(
    updates: list[Any], quotes: list[Any], served: list[Row]
) -> None:
    updates[1]["hops"]["claimed"] += seconds(2)
    updates[1]["hops"]["fetched"] += seconds(2)
    for quote in quotes[3:6]:
        quote["recorded_at"] += seconds(2)


def count_what_does_not_add_up(updates: list[Any], quotes: list[Any], served: list[Row]) -> None:
    updates[1]["counts"]["unchanged"] = 1


def count_nothing(updates: list[Any], quotes: list[Any], served: list[Row]) -> None:
    updates[1]["counts"] = dict.fromkeys(updates[1]["counts"], 0)


@pytest.mark.parametrize(
    ("spoil", "found"),
    [
        (lose_a_quote, {"lost", "miscounted"}),
        (lose_a_quote_that_was_never_counted, {"lost"}),
        (lose_all_of_an_update, {"lost"}),
        (store_a_quote_twice, {"doubled"}),
        (double_a_slot, {"doubled"}),
        (leave_a_slot_out, {"gap"}),
        (forget_the_missed_one, {"gap"}),
        (leave_one_received, {"stuck"}),
        (leave_one_running, {"stuck"}),
        (fail_without_an_excuse, {"unexplained"}),
        (fail_without_a_word, {"unexplained"}),
        (store_a_wrong_price, {"wrong price"}),
        (store_another_slot_s_price, {"wrong price"}),
        (store_what_was_never_served, {"invented"}),
        (finish_without_an_answer, {"invented", "unserved"}),
        (take_the_answer_of_another, {"unserved"}),
        (take_an_answer_from_before_its_claim, {"unserved"}),
        (count_what_does_not_add_up, {"miscounted"}),
        (count_nothing, {"miscounted", "unserved"}),
    ],
)
def test_each_breach_is_found(
    spoil: Callable[[list[Any], list[Any], list[Row]], None], found: set[str]
) -> None:
    evidence = deepcopy(sound())
    updates, quotes, served = list(evidence.updates), list(evidence.quotes), list(evidence.served)
    spoil(updates, quotes, served)
    assert kinds(Evidence(updates, quotes, served, 5)) == found


def test_an_empty_ledger_is_a_breach() -> None:
    assert kinds(replace(sound(), updates=[], quotes=[], served=[])) == {"gap"}


def test_an_accepted_update_must_be_in_the_ledger() -> None:
    evidence = sound()
    name = evidence.updates[0]["_id"]
    assert check(replace(evidence, accepted=[name])) == []
    assert kinds(replace(evidence, accepted=[name, "request-1"])) == {"lost"}


def test_what_an_attempt_was_served_that_died_need_not_be_stored() -> None:
    evidence = sound()
    died = [Row(row.coin, row.at + seconds(2.5), row.price) for row in evidence.served[:3]]
    assert (
        check(replace(evidence, served=[*evidence.served[:3], *died, *evidence.served[3:]])) == []
    )


def test_an_answer_ends_where_a_coin_comes_again() -> None:
    answers = split(sound().served)
    assert [len(answer.rows) for answer in answers] == [3, 3, 3]
    assert split([]) == []


def test_two_updates_share_no_answer() -> None:
    assert match({"a": [0, 1], "b": [0]}) == {"a": 1, "b": 0}
    assert len(match({"a": [0], "b": [0]})) == 1


@pytest.mark.parametrize(
    ("reason", "known"),
    [
        ("its slot was over before anyone could fetch it", True),
        ("its slot was over before an attempt succeeded", True),
        ("127.0.0.1 did not answer in time", True),
        ("127.0.0.1 did not answer in time; 127.0.0.1 broke off its answer: IncompleteRead", True),
        ("127.0.0.1 did not answer in time; KeyError", False),
        ("the source answered no usable quote", False),
        ("", False),
        (None, False),
    ],
)
def test_a_reason_is_explained_as_a_whole(reason: str | None, known: bool) -> None:
    assert explained(reason) is known


def test_the_same_seed_gives_the_same_blows_spread_evenly() -> None:
    blows = plan(1, 180, (3, 8), 20)
    assert blows == plan(1, 180, (3, 8), 20) != plan(2, 180, (3, 8), 20)
    assert set(Counter(blow.target for blow in blows).values()) == {20}
    for target in PROCESSES:
        found = Counter(blow.kind for blow in blows if blow.target == target)
        assert max(found.values()) - min(found.values()) <= 1
    assert {blow.kind for blow in blows} == set(KINDS)
    assert all(3 <= blow.pause <= 8 and 0 < blow.seconds <= 20 for blow in blows)


def rounds(*recoveries: float) -> list[Round]:
    return [Round(Blow("nats", "kill", 1, 1, 0), START, recovery) for recovery in recoveries]


@pytest.mark.parametrize(
    ("recoveries", "good"),
    [
        ([1.0] * 20, True),
        ([1.0] * 19 + [59.0], True),
        ([1.0] * 19 + [61.0], False),
        ([1.0] * 18 + [31.0, 31.0], False),
        ([1.0] * 19 + [math.inf], False),
    ],
)
def test_recovery_has_its_bounds(recoveries: list[float], good: bool) -> None:
    assert Report(rounds(*recoveries), [], {}, 0, 0, []).good is good


def test_a_report_names_what_is_broken() -> None:
    evidence = sound()
    broken = replace(evidence, quotes=evidence.quotes[1:])
    report = Report(rounds(1.0, 2.0), evidence.updates, {}, 8, 9, check(broken))
    text = "\n".join(report.lines())
    assert not report.good
    assert "lost 1, doubled 0" in text
    assert "BROKEN lost: quote bitcoin of 08:30:00.000000" in text
    assert "1 schedule missed: nothing was running when it was due" in text
    assert "2 blows came while an update was under way" in text
    assert "median 1.5, 95 % 2.0, max 2.0" in text


def test_a_percentile_is_one_of_the_values() -> None:
    assert percentile([1, 2, 3, 4], 50) == 2
    assert percentile(list(range(1, 101)), 95) == 95
    assert percentile([7], 95) == 7
