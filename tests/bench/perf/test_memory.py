"""Whether the benchmark of memory sees all processes, adds up right, and tells what is missed."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from bench.perf import memory
from bench.perf.memory import MEMORY_MB, START_SECONDS, Share, missed, shares, table

HELD = [
    Share("worker", 1, 80.0, 30.0),
    Share("worker", 2, 75.0, 20.0),
    Share("beat", 3, 60.0, 45.0),
]


def test_each_process_of_a_session_is_weighed(monkeypatch: pytest.MonkeyPatch) -> None:
    me = psutil.Process()
    states = {name: {"pid": number} for number, name in enumerate(memory.OURS)}
    monkeypatch.setattr(memory, "sessions", lambda: {0: [me.pid, me.ppid()], 1: [me.pid]})
    system: Any = SimpleNamespace(status=lambda: states)
    found = list(shares(system))
    assert [(one.session, one.pid) for one in found] == [
        ("api", me.pid),
        ("api", me.ppid()),
        ("worker", me.pid),
    ]
    assert all(0 < one.pss <= one.rss for one in found)
    assert found[0].rss == pytest.approx(me.memory_info().rss / 2**20, rel=0.2)


def test_the_sums_stand_below_their_processes() -> None:
    lines = [line.split() for line in table(HELD)]
    assert lines[0] == ["pid", "RSS", "PSS"]
    assert ["worker", "155.0", "50.0"] in lines
    assert lines[-1] == ["together", "215.0", "95.0"]


def test_what_is_missed_is_told_with_what_is_allowed() -> None:
    assert list(missed(HELD, [START_SECONDS] * 3)) == []
    heavy = [*HELD, Share("api", 4, 0.0, MEMORY_MB)]
    assert list(missed(heavy, [1.0, START_SECONDS + 1, 99.0])) == [
        "memory: 545 MB, allowed are 450",
        "start: 9.0 s, allowed are 8",
    ]


def test_without_a_browser_nothing_is_started(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(memory, "CHROMIUM", tmp_path / "chromium")
    with pytest.raises(SystemExit) as ended:
        memory.main([])
    assert ended.value.code == 2
    assert "apt-get install chromium" in capsys.readouterr().err
