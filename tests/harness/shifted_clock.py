"""A wall clock that a test sets for the processes it starts: `shifted_clock.c` says how."""

import os
import shutil
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_suffix(".c")


class ShiftedClock:
    """How far the wall clock of some processes is ahead, in seconds; negative when it is behind."""

    def __init__(self, folder: Path) -> None:
        if shutil.which("cc") is None:
            pytest.skip("no C compiler to build a shifted clock with: apt install gcc libc6-dev")
        self._file = folder / "shift"
        self._library = folder / "shifted_clock.so"
        command = ["cc", "-O2", "-shared", "-fPIC", "-o", self._library, SOURCE, "-ldl"]
        subprocess.run([str(part) for part in command], check=True)
        self.set(0)

    def set(self, seconds: float) -> None:
        """From now on the clock is so far ahead, for the processes that run too."""
        # Written in place, all at once: the processes have the file in their memory.
        mode = "r+b" if self._file.exists() else "wb"
        with self._file.open(mode, buffering=0) as file:
            file.write(struct.pack("q", round(seconds * 1e9)))

    @property
    def environment(self) -> dict[str, str]:
        """What a process is to be started with."""
        return {"LD_PRELOAD": str(self._library), "SHIFTED_CLOCK": str(self._file)}

    @contextmanager
    def inherited(self) -> Iterator[None]:
        """Within it, all that this process starts has the clock."""
        os.environ.update(self.environment)
        try:
            yield
        finally:
            for name in self.environment:
                del os.environ[name]
