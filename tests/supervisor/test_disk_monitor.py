"""What the supervisor does about full disks, with small programs to look after."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from settings.disk_space import MEGABYTE
from supervisor.health_checks import Probe
from supervisor.process_spec import ProcessSpec
from supervisor.state_dir import StateDir
from tests.harness.small_disk import SmallDisk, small_disk
from tests.harness.supervised import (
    Running,
    folder,
    plan_of,
    process,
    request_up,
    run,
    short_pauses,
    steady,
    until,
)

__all__ = ["folder", "run", "short_pauses"]

NEEDS_ROOM = """
import pathlib, shutil, sys, time
file, disk = pathlib.Path(sys.argv[1]), sys.argv[2]
while shutil.disk_usage(disk).free > 3_000_000:
    file.write_text(str(time.monotonic_ns()))
    time.sleep(0.05)
sys.exit(3)
"""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk", 8) as made:
        yield made


def test_a_start_waits_for_room_and_uses_no_try(
    folder: StateDir, run: Running, disk: SmallDisk, caplog: pytest.LogCaptureFixture
) -> None:
    disk.fill()
    request_up(folder, "first", "second")
    run(plan_of(steady(folder, "first", folders=(str(disk.folder),)), steady(folder, "second")))
    until(lambda: process(folder, "second").get("ready"))
    first = process(folder, "first")
    assert (first["pid"], first["state"]) == (None, "starting")
    disk.clear()
    until(lambda: process(folder, "first").get("ready"))
    assert process(folder, "first")["restarts"] == 0
    assert caplog.text.count("first waits for room: ") == 1


def test_what_was_given_up_meanwhile_is_started_once_there_is_room(
    folder: StateDir, run: Running, disk: SmallDisk
) -> None:
    # Given a program that ends where it finds little room, and a disk that is short but not full
    file = str(folder.run / "first.beats")
    first = ProcessSpec(
        name="first",
        command=(sys.executable, "-c", NEEDS_ROOM, file, str(disk.folder)),
        probe=Probe("heartbeat", file, interval=0.1),
        folders=(str(disk.folder),),
    )
    disk.fill(leave=int(1.5 * MEGABYTE))
    request_up(folder, "first")
    run(plan_of(first))
    until(lambda: process(folder, "first").get("state") == "failed")
    disk.clear()
    until(lambda: process(folder, "first").get("ready"))


@pytest.mark.parametrize("spoilt", [True, False])
def test_what_a_full_disk_spoilt_is_started_anew_once_there_is_room(
    folder: StateDir, run: Running, disk: SmallDisk, caplog: pytest.LogCaptureFixture, spoilt: bool
) -> None:
    caplog.set_level("INFO", "supervisor")
    request_up(folder, "first")
    run(
        plan_of(
            steady(folder, "first", folders=(str(disk.folder),), restart_after_full_disk=spoilt)
        )
    )
    until(lambda: process(folder, "first").get("ready"))
    pid = process(folder, "first")["pid"]
    disk.fill()
    until(lambda: f"{disk.folder} is on a disk with 0 MB free" in caplog.text)
    disk.clear()
    until(lambda: f"{disk.folder} is on a disk with room again" in caplog.text)
    until(lambda: (process(folder, "first")["pid"] != pid) is spoilt)
    until(lambda: process(folder, "first")["ready"])
    assert caplog.text.count("is on a disk with 0 MB free") == 1
