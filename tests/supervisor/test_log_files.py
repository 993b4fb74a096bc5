"""Logs on a disk without room."""

from pathlib import Path

from supervisor import log_files
from tests.harness.small_disk import small_disk


def test_without_room_for_a_copy_nothing_is_lost(tmp_path: Path) -> None:
    with small_disk(tmp_path / "logs", 1) as disk:
        log = disk.folder / "one.log"
        for generation in ("first", "second"):
            log.write_text(generation * 20_000)
            log_files.rotate(log, max_bytes=1)
        log.write_text("third" * 20_000)
        disk.fill()
        for _ in range(3):
            log_files.rotate(log, max_bytes=1)
        kept = {file.name: file.read_text()[:6] for file in disk.folder.glob("one.log*")}
        assert kept == {"one.log": "thirdt", "one.log.1": "second", "one.log.2": "firstf"}
        disk.clear()
        log_files.rotate(log, max_bytes=1)
        assert (log.stat().st_size, log.with_name("one.log.3").exists()) == (0, True)
