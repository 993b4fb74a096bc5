"""The folder `KOINX_HOME`, through which command line, supervisor and dashboard share files."""

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
SUPERVISOR_FILE = "supervisor.json"  # the identity of the lock's holder
STATE_FILE = "state.json"
OTHERS = 0o077  # the rights of group and others; as a umask, it gives them none
SECRET = re.compile(rb"[\w-]{43,}", re.ASCII)  # 256 bits: hexadecimal now, base64 in 0.1
SECRET_TIMEOUT = 5.0  # seconds that another process may take to create it

log = logging.getLogger(__name__)


class StateDir:
    """The folders `run/` (what is running), `logs/` and `data/` under one home."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.run = home / "run"
        self.logs = home / "logs"
        self.data = home / "data"

    def create(self) -> None:
        """Creates the folders, closed to other accounts; raises OSError if that fails."""
        for folder in (self.run, self.logs, self.data):
            folder.mkdir(parents=True, exist_ok=True)
        for folder in (self.home, self.run, self.logs, self.data):
            found = folder.stat()
            # A home that is a shared folder such as /tmp must stay open, and a folder of another
            # account, as a container's volume often is, cannot be closed.
            if found.st_mode & stat.S_ISVTX or stat.S_IMODE(found.st_mode) == 0o700:
                continue
            if found.st_uid == os.geteuid():
                folder.chmod(0o700)
            elif found.st_mode & OTHERS:
                _warn_open(folder)

    def restrict_permissions(self) -> None:
        """Removes the rights that an earlier version, or a wider umask, gave to other accounts."""
        for folder in (self.run, self.logs, self.data):
            for parent, folders, files in os.walk(folder):
                for path in (Path(parent, name) for name in (*folders, *files)):
                    with suppress(OSError):  # it is gone by now, or belongs to another account
                        mode = path.lstat().st_mode
                        if mode & OTHERS and not stat.S_ISLNK(mode):
                            path.chmod(stat.S_IMODE(mode) & ~OTHERS)

    def log(self, name: str) -> Path:
        """Returns the log file of a process."""
        return self.logs / f"{name}.log"

    def read(self, name: str) -> dict[str, Any]:
        """Reads a JSON object from `run/`; {} if it is missing or damaged."""
        with suppress(OSError, ValueError):
            value = json.loads((self.run / name).read_text())
            if isinstance(value, dict):
                return value
        return {}

    def write(self, name: str, value: dict[str, Any]) -> None:
        """Replaces a JSON object in `run/` atomically, readable only by its owner."""
        # The state is written every second, and none of it is true after a power failure.
        self.write_text(self.run / name, json.dumps(value, indent=1), durable=name != STATE_FILE)

    def secret(self, name: str) -> str:
        """Returns the 256-bit secret in `run/<name>`, creating it on first use; may raise OSError.

        Concurrent callers get the same secret. An empty or damaged one, as a power failure may
        leave it, is replaced. From then on this process masks the secret in its log.
        """
        file = self.run / name
        with self.locked(f"{name}.lock", SECRET_TIMEOUT):
            stored = file.read_bytes().strip() if file.exists() else None
            if stored is None or not SECRET.fullmatch(stored):
                if stored is not None:
                    log.warning("%s is empty or damaged: creating a new one", file)
                stored = secrets.token_hex(32).encode()
                self.write_text(file, stored.decode() + "\n")
        know([secret := stored.decode()])
        return secret

    def write_text(self, path: Path, text: str, *, durable: bool = True) -> None:
        """Replaces a file atomically, readable only by its owner.

        If `durable`, it is on the disk on return: a power failure leaves the old text or the new.
        On a full disk the existing file is overwritten, which takes no room: OSError if that is
        not enough.
        """
        draft = path.with_name(f".{path.name}.{os.getpid()}.{time.monotonic_ns()}")
        try:
            with open(draft, "x", opener=_private) as file:
                file.write(text)
                file.flush()
                if durable:
                    os.fsync(file.fileno())
            draft.replace(path)
            if durable:
                _sync_folder(path.parent)
        except OSError as error:
            if error.errno != errno.ENOSPC or not path.exists():
                raise
            _overwrite(path, text)
        finally:
            draft.unlink(missing_ok=True)

    @contextmanager
    def locked(self, name: str, wait: float) -> Iterator[bool]:
        """Holds the lock `run/<name>` in the block; yields False if it stays taken for `wait` s.

        The lock is released when its holder exits, however that happens.
        """
        with open(self.run / name, "a+", opener=_private) as file:
            yield _lock(file.fileno(), wait)

    def is_locked(self, name: str) -> bool:
        """Returns whether a process holds the lock `run/<name>`."""
        try:
            with (self.run / name).open() as file:
                return not _lock(file.fileno(), 0, fcntl.LOCK_SH)
        except OSError:
            return False


@cache
def _warn_open(folder: Path) -> None:  # once per process, however often it creates its folders
    log.warning("%s is open to other accounts, and only its owner can close it: chmod 700", folder)


def _overwrite(path: Path, text: str) -> None:
    # In one write, and padded rather than truncated: a concurrent reader finds it complete.
    with path.open("r+b", buffering=0) as file:
        data = text.encode().ljust(path.stat().st_size)
        if file.write(data) < len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Makes a rename in the folder durable: without it a power failure may undo the rename."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _lock(descriptor: int, wait: float, mode: int = fcntl.LOCK_EX) -> bool:
    deadline = time.monotonic() + wait
    while True:
        try:
            fcntl.flock(descriptor, mode | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.02)
        else:
            return True
