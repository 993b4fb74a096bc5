"""Counts that outlive their processes."""

import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from api.metrics.storage import BOUNDS, PLACES, CounterStore, DurationHistogram
from settings import ROOT
from tests.harness.small_disk import small_disk

COUNT = """
import sys, pathlib
from api.metrics.storage import CounterStore
tally = CounterStore(pathlib.Path(sys.argv[1]))
tally.listen(1)
for line in sys.stdin:
    tally.counter("a")(0.002)
    print("counted", flush=True)
"""


def counts(tally: CounterStore) -> dict[str, int]:
    return {name: times.count for name, times in tally.all()[0].items()}


def test_what_was_counted_is_in_its_bucket(tmp_path: Path) -> None:
    tally = CounterStore(tmp_path)
    assert tally.all() == ({}, 0)
    for seconds in (0.0, BOUNDS[0], BOUNDS[0] * 1.01, 99.0):
        tally.counter("a")(seconds)
    tally.counter("b")(1.5)
    found, _ = tally.all()
    assert found["a"].buckets == [2, 1, *[0] * (len(BOUNDS) - 2), 1]
    assert found["a"].seconds == pytest.approx(99.000201)
    assert found["b"].count == 1
    assert found["b"].seconds == pytest.approx(1.5)


def test_no_count_of_many_threads_is_lost(tmp_path: Path) -> None:
    tally = CounterStore(tmp_path)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda number: tally.counter(f"name {number % 3}")(0.001), range(3000)))
    assert counts(tally) == {f"name {number}": 1000 for number in range(3)}


def test_two_at_once_count_together(tmp_path: Path) -> None:
    one, two = CounterStore(tmp_path), CounterStore(tmp_path)
    one.counter("a")(0.1)
    two.counter("a")(0.1)
    two.counter("b")(0.1)
    one.listen(2)
    two.listen(1)
    two.listen(-1)
    assert counts(one) == counts(two) == {"a": 2, "b": 1}
    assert (one.all()[1], two.all()[1]) == (2, 2)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["0.tally", "1.tally"]


def test_a_killed_process_leaves_its_counts_and_the_next_goes_on_with_them(tmp_path: Path) -> None:
    def count(times: int) -> None:
        with subprocess.Popen(
            [sys.executable, "-c", COUNT, str(tmp_path)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            for _ in range(times):
                process.stdin.write("\n")
                process.stdin.flush()
                assert process.stdout.readline() == "counted\n"
            assert reader.all()[1] == 1, "it listens"
            os.kill(process.pid, signal.SIGKILL)

    reader = CounterStore(tmp_path)
    for number in (1, 2):
        count(7)
        assert counts(reader) == {"a": 7 * number}
        assert reader.all()[1] == 0, "who was killed listens no more"
    assert len(list(tmp_path.iterdir())) == 1


def test_another_versions_file_begins_anew(tmp_path: Path) -> None:
    (tmp_path / "0.tally").write_bytes(b"koinx tally 0" * 1000)
    tally = CounterStore(tmp_path)
    assert tally.all() == ({}, 0)
    tally.counter("a")(0.1)
    assert counts(tally) == {"a": 1}


def test_names_beyond_the_places_are_counted_as_one(tmp_path: Path) -> None:
    tally = CounterStore(tmp_path)
    for number in range(PLACES + 10):
        tally.counter(f"name {number}")(0.1)
    found = counts(tally)
    assert len(found) == PLACES
    assert found["beyond"] == 11
    assert sum(found.values()) == PLACES + 10


def test_without_room_it_counts_in_memory(tmp_path: Path) -> None:
    with small_disk(tmp_path / "run", 1) as disk:
        disk.fill()
        tally = CounterStore(disk.folder)
        tally.counter("a")(0.1)
        assert counts(tally) == {"a": 1}


def test_counting_while_others_read(tmp_path: Path) -> None:
    tally, ended = CounterStore(tmp_path), threading.Event()

    def write() -> None:
        while not ended.is_set():
            tally.counter("a")(0.1)

    thread = threading.Thread(target=write)
    thread.start()
    seen = [counts(CounterStore(tmp_path)).get("a", 0) for _ in range(50)]
    ended.set()
    thread.join()
    assert seen == sorted(seen)


def test_times_say_how_many() -> None:
    assert DurationHistogram([1, 2, 3]).count == 6
