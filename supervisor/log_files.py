"""The processes' log files: keep them small, read their ends, follow them."""

import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from logs.formatters import readable

MAX_BYTES = 10 * 1024 * 1024
KEPT = 3
BLOCK = 64 * 1024


def rotate(path: Path, max_bytes: int = MAX_BYTES) -> None:
    """Put a log that grew past `max_bytes` aside as `.1`, `.2`, `.3` and empty it.

    Copied, then truncated: the process goes on appending to the file that it opened.
    """
    copy = path.with_name(f"{path.name}.new")
    try:
        if path.stat().st_size <= max_bytes:
            return
        shutil.copyfile(path, copy)
        for number in range(KEPT, 1, -1):
            older = path.with_name(f"{path.name}.{number - 1}")
            if older.exists():
                older.replace(path.with_name(f"{path.name}.{number}"))
        copy.replace(path.with_name(f"{path.name}.1"))
    except OSError:
        # No room for a copy: all is kept as it is until there is.
        with suppress(OSError):
            copy.unlink()
        return
    with path.open("r+b") as file:
        file.truncate(0)


def last_lines(path: Path, count: int) -> list[str]:
    """The last lines of a log, made for people to read; [] if there is none."""
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
    # Not splitlines(): what somebody sent may hold other ends of lines than ours.
    found = data.decode(errors="replace").removesuffix("\n").split("\n")[-count:]
    return [line for one in found for line in readable(one)]


class Tail:
    """Follows one log from where it ends now (or `start`), over its rotations, for people."""

    def __init__(self, path: Path, start: int | None = None) -> None:
        self._path = path
        self._rest = b""
        self._at = self._size() if start is None else start

    def _size(self) -> int:
        try:
            return self._path.stat().st_size
        except OSError:
            return 0

    def lines(self) -> Iterator[str]:
        """The whole lines that came since the last call."""
        size = self._size()
        if size < self._at:
            self._at, self._rest = 0, b""
        if size == self._at:
            return
        with self._path.open("rb") as file:
            file.seek(self._at)
            data = file.read(size - self._at)
        self._at += len(data)
        *whole, self._rest = (self._rest + data).split(b"\n")
        for line in whole:
            yield from readable(line.decode(errors="replace"))
