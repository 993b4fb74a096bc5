"""Answers a second beside a bare server, in short."""

import argparse
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from bench.harness.services import wait_until
from bench.harness.system import System, running
from bench.perf.throughput import Bench, Updates
from bench.perf.wrk import NoWrk, load

NEEDS_WRK = pytest.mark.skipif(
    shutil.which("wrk") is None and not os.environ.get("CI"),
    reason="wrk is not installed: apt-get install wrk",
)


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    home = tmp_path_factory.mktemp("throughput")
    with running(home, "--demo", COINS="bitcoin,ethereum") as made:
        wait_until(lambda: made.get("/stats?coin=bitcoin").ok, "quotes")
        yield made


@pytest.fixture
def bench(system: System, tmp_path: Path) -> Bench:
    return Bench(system, tmp_path, argparse.Namespace(seconds=1, rounds=1))


@NEEDS_WRK
def test_both_are_asked_in_each_round(bench: Bench, tmp_path: Path) -> None:
    path = "/stats?coin=bitcoin"
    known = f"If-None-Match: {bench.etag(path)}"
    paths = tmp_path / "paths"
    paths.write_text(f"{path}\n/stats?coin=ethereum\n")
    ratios, loads = bench.beside(path, headers=[known], paths=paths)
    assert len(ratios) == len(loads) == 1
    assert ratios[0] > 0
    assert loads[0].per_second > 0
    assert loads[0].worst_ms > 0


@NEEDS_WRK
def test_an_answer_that_is_an_error_stops_it(system: System) -> None:
    with pytest.raises(AssertionError, match="Non-2xx"):
        load(f"{system.api}/stats?coin=nothing", 1)


def test_updates_run_until_it_is_over(system: System) -> None:
    updates = Updates(system)
    with updates.going():
        wait_until(lambda: len(updates.lasted) >= 2, "two updates")
    ended = len(updates.lasted)
    assert len(updates.stale) == ended
    assert max(updates.stale) < 1
    assert requests.get(f"{system.api}/health", timeout=5).ok


def test_without_wrk_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(NoWrk, match="apt-get install wrk"):
        load("http://127.0.0.1:9", 1)
