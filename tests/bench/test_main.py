"""The benchmarks, one after the other."""

import subprocess

import pytest

from bench import __main__ as bench
from settings import ROOT


def parts(monkeypatch: pytest.MonkeyPatch, **codes: int) -> list[str]:
    """Has each benchmark end at once with its code; their names, as they are run."""
    ran: list[str] = []

    def run(command: list[str], **_: object) -> "subprocess.CompletedProcess[str]":
        name = command[2].removeprefix("bench.perf.")
        ran.append(name)
        return subprocess.CompletedProcess(command, codes.get(name, 0))

    monkeypatch.setattr(subprocess, "run", run)
    return ran


def test_all_are_run_and_what_missed_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran = parts(monkeypatch, writes=1)
    assert bench.main([]) == 1
    assert ran == list(bench.PARTS)
    assert "missed: writes" in capsys.readouterr().out


def test_some_can_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    ran = parts(monkeypatch)
    assert bench.main(["page", "memory"]) == 0
    assert ran == ["page_load", "memory"]


def test_each_is_there_and_what_is_none_is_told() -> None:
    for name in bench.PARTS:
        assert (ROOT / "bench" / "perf" / f"{name}.py").is_file()
    ran = subprocess.run(
        ["./koinx", "bench", "nothing"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 2
    assert "'nothing' is no benchmark: choose from throughput, " in ran.stderr
