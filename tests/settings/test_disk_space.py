"""Whether there is room on the disks."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from settings import Settings
from settings.disk_space import MEGABYTE, RESERVE, Disk, Room, data_folder, disks
from tests.harness.small_disk import SmallDisk, small_disk


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(market="demo", koinx_home=tmp_path)


@pytest.fixture
def disk(settings: Settings) -> Iterator[SmallDisk]:
    """A disk of 8 MB on which Redis' data lies."""
    with small_disk(data_folder(settings, "redis"), 8) as made:
        yield made


def test_each_disk_is_found_once_and_named_by_its_first_folder(
    tmp_path: Path, disk: SmallDisk
) -> None:
    inside = disk.folder / "inside"
    inside.mkdir()
    found = disks([tmp_path, disk.folder, inside, tmp_path / "absent", tmp_path.parent])
    assert [one.folder for one in found] == [tmp_path, disk.folder]
    assert [one.reserve for one in found] == [RESERVE, shutil.disk_usage(inside).total // 4]
    assert found[1].free > 7 * MEGABYTE


@pytest.mark.parametrize(
    ("free", "is_short", "is_full"),
    [(5_000_000, False, False), (4_999_999, True, False), (999_999, True, True), (0, True, True)],
)
def test_short_comes_before_full(free: int, is_short: bool, is_full: bool) -> None:
    disk = Disk(Path("/"), 1, free, 5_000_000)
    assert (disk.is_short, disk.is_full) == (is_short, is_full)


def test_it_says_how_much_is_free_and_how_much_is_needed() -> None:
    text = str(Disk(Path("/data"), 1, 4_999_999, 5_000_001))
    assert text.startswith("/data is on a disk with 4 MB free, 6 MB are needed: make room there")


def test_a_full_disk_is_told_while_it_lasts_and_logged_once(
    settings: Settings, disk: SmallDisk, caplog: pytest.LogCaptureFixture
) -> None:
    room = Room(settings)
    assert (room.shortage(), room.report()) == (None, None)
    disk.fill()
    for _ in range(3):
        assert f"{disk.folder} is on a disk with 0 MB free" in str(room.shortage())
    assert room.report() == room.shortage()
    disk.clear()
    for _ in range(3):
        assert room.shortage() is None
    short, over = caplog.messages
    assert short.startswith(str(disk.folder))
    assert over == "there is room on the disk again"


def test_a_disk_without_data_holds_no_update_up(settings: Settings) -> None:
    with small_disk(settings.koinx_home / "logs", 8) as logs:
        logs.fill()
        room = Room(settings)
        assert room.shortage() is None
        assert str(logs.folder) in str(room.report())


def test_where_all_is_on_one_disk_the_home_is_named(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with small_disk(home, 8) as disk:
        settings = Settings(koinx_home=home)
        data_folder(settings, "nats").mkdir(parents=True)
        disk.fill()
        assert str(Room(settings).shortage()).startswith(f"{home} is on a disk with")
