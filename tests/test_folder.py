"""The files that command, supervisor and dashboard leave for each other."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from dash_ui.folder import Folder
from tests.small_disk import small_disk


def test_on_a_full_disk_a_file_is_written_over(tmp_path: Path) -> None:
    with small_disk(tmp_path / "home", 1) as disk:
        folder = Folder(disk.folder)
        folder.make()
        folder.write("state.json", {"name": "long" * 20})
        disk.fill()
        for value in ({"name": "short"}, {"name": "longer" * 20}):
            folder.write("state.json", value)
            assert folder.read("state.json") == value
        assert [file.name for file in folder.run.iterdir()] == ["state.json"]
        with pytest.raises(OSError, match="No space left"):
            folder.write("state.json", {"name": "x" * 100_000})
        with pytest.raises(OSError, match="No space left"):
            folder.write("new.json", {})
        disk.clear()
        folder.write("state.json", {})
        assert json.loads((folder.run / "state.json").read_text()) == {}


def test_whoever_asks_for_a_secret_at_the_same_time_gets_the_same(tmp_path: Path) -> None:
    # Given a folder in which a writer waits a moment for a second one
    both = threading.Barrier(2)
    written: list[str] = []

    class Slow(Folder):
        def write_text(self, path: Path, text: str) -> None:
            with suppress(threading.BrokenBarrierError):
                both.wait(0.2)
            written.append(text)
            super().write_text(path, text)

    Folder(tmp_path).make()
    # When
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda _: Slow(tmp_path).kept_secret("secret"), range(2)))
    # Then
    assert [f"{one}\n" for one in found] == written * 2
    assert len(found[0]) >= 43
    assert (tmp_path / "run" / "secret").stat().st_mode & 0o777 == 0o600
