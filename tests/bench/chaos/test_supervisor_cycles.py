"""Small processes, started and ended again and again through the supervisor's own classes."""

from pathlib import Path

import pytest

from bench.chaos.dummy_processes import KINDS
from bench.chaos.supervisor_cycles import EVENTS, run

ROUND_OF_ALL = len(EVENTS) * len(KINDS)


@pytest.mark.row("pid-reused")
def test_nothing_is_left_and_no_stranger_is_signalled(tmp_path: Path) -> None:
    found = run(tmp_path / "home", ROUND_OF_ALL)
    assert found.left == []
    assert found.counts["cycles"] == ROUND_OF_ALL
    assert found.counts["strangers"] == 2
