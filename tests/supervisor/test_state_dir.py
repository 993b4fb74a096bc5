"""The files that command, supervisor and dashboard leave for each other."""

import json
import os
import re
import secrets
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from logs.redaction import masked
from settings import ROOT
from supervisor.state_dir import STATE_FILE, StateDir
from tests.harness.packages import modules
from tests.harness.small_disk import small_disk


def test_on_a_full_disk_a_file_is_written_over(tmp_path: Path) -> None:
    with small_disk(tmp_path / "home", 1) as disk:
        folder = StateDir(disk.folder)
        folder.create()
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


@pytest.mark.row("secret-leak")
def test_a_kept_secret_is_masked_wherever_it_is_read(tmp_path: Path) -> None:
    folder = StateDir(tmp_path)
    folder.create()
    secret = folder.secret("a")
    assert masked(f"nats://user:{secret}@h refuses {secret}") == "nats://…@h refuses …"


def test_whoever_asks_for_a_secret_at_the_same_time_gets_the_same(tmp_path: Path) -> None:
    # Given a folder in which a writer waits a moment for a second one
    both = threading.Barrier(2)
    written: list[str] = []

    class Slow(StateDir):
        def write_text(self, path: Path, text: str, *, durable: bool = True) -> None:
            with suppress(threading.BrokenBarrierError):
                both.wait(0.2)
            written.append(text)
            super().write_text(path, text, durable=durable)

    StateDir(tmp_path).create()
    # When
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda _: Slow(tmp_path).secret("secret"), range(2)))
    # Then
    assert [f"{one}\n" for one in found] == written * 2
    assert len(found[0]) >= 43
    assert (tmp_path / "run" / "secret").stat().st_mode & 0o777 == 0o600


def test_what_is_written_is_on_the_disk_under_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a folder with an older text, and a disk that notes what it is told to hold
    folder = StateDir(tmp_path)
    folder.create()
    file = folder.run / "dashboard_key"
    file.write_text("old")
    held: list[tuple[str, str]] = []
    fsync = os.fsync

    def noting(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        held.append((path.read_text() if path.is_file() else path.name, file.read_text()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noting)
    # When
    folder.write_text(file, "new")
    # Then the text was held before it got its name, and the name after
    assert held == [("new", "old"), ("run", "new")]
    assert file.stat().st_mode & 0o777 == 0o600

    # And what is true for a second only waits for no disk
    folder.write(STATE_FILE, {"serial": 1})
    assert len(held) == 2
    folder.write("wish.json", {"serial": 1})
    assert len(held) == 4


@pytest.mark.parametrize(
    "damaged", [b"", b"\n", b"\0" * 65, b"abc", b"\xff" * 64, b"a" * 40 + b"\0" * 24, b"a b" * 30]
)
def test_a_damaged_secret_is_replaced_and_that_is_said(
    tmp_path: Path, damaged: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    folder = StateDir(tmp_path)
    folder.create()
    file = folder.run / "dashboard_key"
    file.write_bytes(damaged)
    made = folder.secret("dashboard_key")
    assert len(made) == 64
    assert [one.getMessage() for one in caplog.records] == [
        f"{file} is empty or damaged: creating a new one"
    ]
    assert folder.secret("dashboard_key") == made
    assert len(caplog.records) == 1


def test_a_secret_of_before_stays(tmp_path: Path) -> None:
    folder = StateDir(tmp_path)
    folder.create()
    before = secrets.token_urlsafe(32)
    (folder.run / "api_key").write_text(before + "\n")
    assert folder.secret("api_key") == before


def test_files_are_replaced_in_one_place_alone() -> None:
    # A rename without an fsync before it and after it may leave an empty file under the name.
    apart = {
        "supervisor/state_dir.py",
        "tasks/heartbeat.py",  # a sign of life is good for some seconds
        "api/openapi/dump.py",  # a developer's command
    }
    writers = {
        str(file.relative_to(ROOT))
        for file in modules()
        if re.search(r"\.write_(text|bytes)\(|os\.(replace|rename)\(", file.read_text())
        and not re.search(r"(folder|state_dir)\.write_text\(", file.read_text())
    }
    assert writers == apart


def test_a_home_of_another_account_is_used_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    home = tmp_path / "volume"
    home.mkdir(mode=0o777)
    home.chmod(0o777)
    monkeypatch.setattr("os.geteuid", lambda: os.getuid() + 1)
    StateDir(home).create()
    StateDir(home).create()
    assert stat.S_IMODE(home.stat().st_mode) == 0o777
    told = [message for message in caplog.messages if message.startswith(f"{home} is open")]
    assert told == [f"{home} is open to other accounts, and only its owner can close it: chmod 700"]


def test_a_closed_home_is_not_touched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    StateDir(tmp_path).create()
    monkeypatch.delattr(Path, "chmod")
    StateDir(tmp_path).create()
