"""A small disk that a test can fill, taken away in all cases."""

import mmap
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

PAGE = mmap.PAGESIZE
BLOCK = 64 * 1024
FILLER = "filler"


class SmallDisk:
    """A file system of its own, below a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fill(self, leave: int = 0) -> None:
        """Leave no more room than `leave` bytes."""
        with (self.folder / FILLER).open("ab", buffering=0) as file, suppress(OSError):
            while leave < shutil.disk_usage(self.folder).free:
                file.write(bytes(BLOCK))

    def top_up(self, file: Path) -> None:
        """Take the rest of the page that a file has begun, which is still its own."""
        with file.open("ab", buffering=0) as end, suppress(OSError):
            while end.write(b"\n"):
                pass

    def clear(self) -> None:
        """Make room again."""
        (self.folder / FILLER).unlink(missing_ok=True)


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[SmallDisk]:
    """A disk of so many MB mounted at `folder`; skips the test where that is not permitted."""
    folder.mkdir(parents=True, exist_ok=True)
    size = f"size={megabytes * 1_000_000 // PAGE * PAGE}"
    command = ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount on this system")
    if mounted.returncode != 0:
        pytest.skip(f"a tmpfs may not be mounted here: {mounted.stderr.strip()}")
    try:
        yield SmallDisk(folder)
    finally:
        # Lazily: what still has a file open there must not keep it.
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
