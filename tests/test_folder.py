"""The files that command, supervisor and dashboard leave for each other."""

import json
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
