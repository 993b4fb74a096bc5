"""Whatever comes on NATS: all set aside and counted, no crash, and the next event served.

`python -m bench.fuzz events` sends 10,000 messages.
"""

from itertools import islice
from pathlib import Path

import pytest

from bench.fuzz.events import Result, messages, strike
from bench.fuzz.run import NEVER, event_faults, tracebacks
from bench.harness.system import running


@pytest.mark.row("poison")
def test_malformed_messages_are_set_aside_and_the_next_good_one_served(tmp_path: Path) -> None:
    with running(
        tmp_path, "--demo", COINS="bitcoin,top:5", CRON_SCHEDULE=NEVER, API_WORKERS="1"
    ) as system:
        result = strike(system, 400, seed=2)
        assert result.set_aside == 400
        assert event_faults(result) == []
        assert tracebacks(system, "api", "worker") == []


def test_the_same_seed_gives_the_same_messages() -> None:
    assert list(islice(messages(7), 99)) == list(islice(messages(7), 99))


@pytest.mark.parametrize(
    ("result", "fault"),
    [
        (Result(9, 8, 1, 0.1, 1, []), "8 of 9 were set aside"),
        (Result(9, 9, 1, 1.5, 1, []), "the next good one took 1.50 s"),
        (Result(9, 9, 1, 0.1, 2, []), "2 updates came of one event"),
        (Result(9, 9, 1, 0.1, 1, ["worker"]), "ended: ['worker']"),
    ],
)
def test_the_judge_tells_what_is_amiss(result: Result, fault: str) -> None:
    assert event_faults(result) == [fault]
