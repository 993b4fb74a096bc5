"""The processes' log files: rotates them, reads their last lines, follows them."""

import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from logs.formatters import readable

MAX_BYTES = 10 * 1024 * 1024
BACKUPS = 3
BLOCK = 64 * 1024


def rotate(path: Path, max_bytes: int = MAX_BYTES) -> None:
    """Moves the content of a log larger than `max_bytes` to `.1` (then `.2`, `.3`).

    The log is copied, then truncated: the process keeps appending to the file that it opened.
    """
    copy = path.with_name(f"{path.name}.new")
    try:
        if path.stat().st_size <= max_bytes:
            return
        shutil.copyfile(path, copy)
        for number in range(BACKUPS, 1, -1):
            older = path.with_name(f"{path.name}.{number - 1}")
            if older.exists():
                older.replace(path.with_name(f"{path.name}.{number}"))
        copy.replace(path.with_name(f"{path.name}.1"))
    except OSError:
        # No room for a copy: everything stays as it is until there is.
        with suppress(OSError):
            copy.unlink()
        return
    with path.open("r+b") as file:
        file.truncate(0)


def last_lines(path: Path, count: int) -> list[str]:
    """Returns the last `count` lines of a log in readable form; [] if there is no log."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            data = b""
            while size > 0 and data.count(b"\n") <= count:
                step = min(BLOCK, size)
                size -= step
                file.seek(size)
                data = file.read(step) + data
    except OSError:
        return []
    if not count or not data:
        return []
    # Not splitlines(): text from outside may contain other line separators.
    lines = data.decode(errors="replace").removesuffix("\n").split("\n")[-count:]
    return [shown for line in lines for shown in readable(line)]


class Tail:
    """Follows one log from its current end (or from `start`), across rotations."""

    def __init__(self, path: Path, start: int | None = None) -> None:
        self._path = path
        self._incomplete = b""
        self._position = self._size() if start is None else start

    def _size(self) -> int:
        try:
            return self._path.stat().st_size
        except OSError:
            return 0

    def lines(self) -> Iterator[str]:
        """Yields the complete lines written since the last call, in readable form."""
        size = self._size()
        if size < self._position:
            self._position, self._incomplete = 0, b""
        if size == self._position:
            return
        with self._path.open("rb") as file:
            file.seek(self._position)
            data = file.read(size - self._position)
        self._position += len(data)
        *complete, self._incomplete = (self._incomplete + data).split(b"\n")
        for line in complete:
            yield from readable(line.decode(errors="replace"))
