"""Signs of life."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tasks import heartbeat
from tests.harness.small_disk import small_disk


def test_each_one_is_new_and_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOINX_HOME", str(tmp_path))
    heartbeat.record("one.json")
    first = json.loads((tmp_path / "run" / "one.json").read_text())
    heartbeat.record("one.json")
    second = json.loads((tmp_path / "run" / "one.json").read_text())
    assert first["pid"] == os.getpid()
    assert second["at"] > first["at"]
    assert [file.name for file in (tmp_path / "run").iterdir()] == ["one.json"]


def test_whoever_reads_it_finds_it_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOINX_HOME", str(tmp_path))
    heartbeat.record("one.json")

    def write() -> None:
        for _ in range(2000):
            heartbeat.record("one.json")

    with ThreadPoolExecutor(1) as threads:
        writing = threads.submit(write)
        while not writing.done():
            found = json.loads((tmp_path / "run" / "one.json").read_text())
            assert set(found) == {"pid", "at"}


def test_a_folder_that_cannot_be_written_stops_no_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "run").touch()
    monkeypatch.setenv("KOINX_HOME", str(tmp_path))
    heartbeat.record("one.json")
    assert "heartbeat not recorded" in caplog.text


def test_on_a_full_disk_signs_are_left_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("KOINX_HOME", str(tmp_path))
    with small_disk(tmp_path, 1) as disk:
        heartbeat.record("one.json")
        file = tmp_path / "run" / "one.json"
        first = json.loads(file.read_text())
        disk.fill()
        heartbeat.record("one.json")
        assert json.loads(file.read_text())["at"] > first["at"]
        assert [file.name for file in (tmp_path / "run").iterdir()] == ["one.json"]
    assert caplog.text == ""
