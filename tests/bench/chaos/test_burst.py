"""Whether an event outlives a burst of kills, and whether its report says what took the time."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bench.chaos.burst import SIGNALS, TARGETS, Recovery, plan, run

START = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)


@pytest.mark.row("killed-often")
def test_an_event_outlives_a_burst(tmp_path: Path) -> None:
    outcome = run(tmp_path, plan(1, 8, (0.3, 1.0), SIGNALS))
    assert outcome.good, [*outcome.recovery.lines(), *outcome.recovery.log, *outcome.breaches]


def test_a_seed_gives_the_same_kills_again() -> None:
    kills = plan(7, 200, (1.0, 3.8), ["kill", "term"])
    assert kills == plan(7, 200, (1.0, 3.8), ["term", "kill"])
    assert kills != plan(8, 200, (1.0, 3.8), ["kill", "term"])
    assert all(1 <= kill.pause <= 3.8 for kill in kills)
    assert {kill.targets[0] for kill in kills} == set(TARGETS)
    assert {kill.signal for kill in kills} == set(SIGNALS)


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def recovery(**hops: float) -> Recovery:
    return Recovery(
        last="kill worker",
        killed=START,
        acknowledged=after(1),
        hops={name: after(seconds) for name, seconds in hops.items()},
        away=[("worker", after(-2), after(9)), ("nats", after(-9), after(0.5))],
        log=[],
    )


def test_each_hop_says_who_was_away() -> None:
    found = recovery(published=0.9, streamed=0.95, received=1.5, started=9.5, finished=10)
    assert found.took == 9
    assert list(found.lines()) == [
        "received   +  500 ms  not ready: worker until 9.0 s after the last kill",
        "started    +   8.0 s  not ready: worker until 9.0 s after the last kill",
        "finished   +  500 ms",
    ]


def test_an_event_that_is_not_done_took_for_ever() -> None:
    assert recovery(published=0.9, received=1.5).took == float("inf")
