"""The folder `KOINX_HOME`: where command, supervisor and dashboard leave files for each other."""

import errno
import fcntl
import json
import logging
import os
import re
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

from logs.redaction import know

SUPERVISOR_LOCK = "supervisor.lock"
SUPERVISOR_FILE = "supervisor.json"  # who holds the lock
STATE_FILE = "state.json"
OTHERS = 0o077  # what the group and all others may do; as a umask, nothing
SECRET = re.compile(rb"[\w-]{43,}", re.ASCII)  # 256 bits, in hexadecimal now, once in base64
SECRET_PATIENCE = 5.0  # seconds that somebody else may take to make it

log = logging.getLogger(__name__)


class Folder:
    """`run/` (what is running), `logs/` and `data/` under one home."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.run = home / "run"
        self.logs = home / "logs"
        self.data = home / "data"

    def make(self) -> None:
        """Create the folders, closed to all other accounts; OSError if that cannot be."""
        for folder in (self.run, self.logs, self.data):
            folder.mkdir(parents=True, exist_ok=True)
        for folder in (self.home, self.run, self.logs, self.data):
            found = folder.stat()
            # A home right in a place that all share, such as /tmp, must not close that place, and
            # one that is another account's, as a container's volume often is, cannot be closed.
            if found.st_mode & stat.S_ISVTX or stat.S_IMODE(found.st_mode) == 0o700:
                continue
            if found.st_uid == os.geteuid():
                folder.chmod(0o700)
            elif found.st_mode & OTHERS:
                _warn_of(folder)

    def tighten(self) -> None:
        """Take from other accounts what an earlier version, or a wider umask, left to them."""
        for folder in (self.run, self.logs, self.data):
            for parent, folders, files in os.walk(folder):
                for path in (Path(parent, name) for name in (*folders, *files)):
                    with suppress(OSError):  # it went meanwhile, or is another account's
                        mode = path.lstat().st_mode
                        if mode & OTHERS and not stat.S_ISLNK(mode):
                            path.chmod(stat.S_IMODE(mode) & ~OTHERS)

    def log(self, name: str) -> Path:
        """Where the output of a process goes."""
        return self.logs / f"{name}.log"

    def read(self, name: str) -> dict[str, Any]:
        """A JSON object in `run/`; {} if it is not there or damaged."""
        with suppress(OSError, ValueError):
            value = json.loads((self.run / name).read_text())
            if isinstance(value, dict):
                return value
        return {}

    def write(self, name: str, value: dict[str, Any]) -> None:
        """Replace a JSON object in `run/` at one stroke, readable by its owner alone."""
        # What runs is written every second, and nothing of it is true after a loss of power.
        self.write_text(self.run / name, json.dumps(value, indent=1), lasting=name != STATE_FILE)

    def kept_secret(self, name: str) -> str:
        """A secret of 256 bits from `run/<name>`, made at its first use; OSError if that cannot be.

        Whoever asks at the same time gets the same. One that is empty or damaged, as a loss of
        power may leave it, is replaced. From then on no log line of this process shows it.
        """
        file = self.run / name
        with self.locked(f"{name}.lock", SECRET_PATIENCE):
            kept = file.read_bytes().strip() if file.exists() else None
            if kept is None or not SECRET.fullmatch(kept):
                if kept is not None:
                    log.warning("%s is empty or damaged: a new one is made", file)
                kept = secrets.token_hex(32).encode()
                self.write_text(file, kept.decode() + "\n")
        know([secret := kept.decode()])
        return secret

    def write_text(self, path: Path, text: str, *, lasting: bool = True) -> None:
        """Replace a file at one stroke, readable by its owner alone.

        Unless not `lasting`, it is on the disk then: a loss of power leaves the old text or the
        new. On a full disk what is there is written over, which takes no room: OSError if that is
        not enough.
        """
        draft = path.with_name(f".{path.name}.{os.getpid()}.{time.monotonic_ns()}")
        try:
            with open(draft, "x", opener=_private) as file:
                file.write(text)
                file.flush()
                if lasting:
                    os.fsync(file.fileno())
            draft.replace(path)
            if lasting:
                _keep_names(path.parent)
        except OSError as error:
            if error.errno != errno.ENOSPC or not path.exists():
                raise
            _write_over(path, text)
        finally:
            draft.unlink(missing_ok=True)

    @contextmanager
    def locked(self, name: str, wait: float) -> Iterator[bool]:
        """Hold the lock `run/<name>` inside the block; False if it is not had in `wait` seconds.

        The holder's death frees it, however it dies.
        """
        with open(self.run / name, "a+", opener=_private) as file:
            yield _take(file.fileno(), wait)

    def is_locked(self, name: str) -> bool:
        """Whether some process holds the lock `run/<name>`."""
        try:
            with (self.run / name).open() as file:
                return not _take(file.fileno(), 0, fcntl.LOCK_SH)
        except OSError:
            return False


@cache
def _warn_of(folder: Path) -> None:  # once in a process, however often it makes its folders
    log.warning("%s is open to other accounts, and only its owner can close it: chmod 700", folder)


def _write_over(path: Path, text: str) -> None:
    # In one piece, and padded rather than cut: who reads it meanwhile finds it whole.
    with path.open("r+b", buffering=0) as file:
        data = text.encode().ljust(path.stat().st_size)
        if file.write(data) < len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        os.fsync(file.fileno())


def _keep_names(folder: Path) -> None:
    """Has the disk hold which names the folder has: a rename alone may be lost with the power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _take(descriptor: int, wait: float, how: int = fcntl.LOCK_EX) -> bool:
    deadline = time.monotonic() + wait
    while True:
        try:
            fcntl.flock(descriptor, how | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.02)
        else:
            return True
