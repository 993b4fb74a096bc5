"""Tell a process apart from any other that has, or had, its pid."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil


@dataclass(frozen=True)
class Identity:
    """A process by pid, start and command line: a pid alone is given to another in time.

    `started` counts clock ticks since boot where the system tells, else seconds since 1970: only
    good for comparing.
    """

    pid: int
    started: float
    command: tuple[str, ...]

    @classmethod
    def of(cls, pid: int) -> "Identity | None":
        """Who has `pid` now; None for nobody, a zombie, or one that may not be looked at."""
        try:
            process = psutil.Process(pid)
            if process.status() == psutil.STATUS_ZOMBIE:
                return None
            return cls(pid, _started(process), tuple(process.cmdline()))
        except (psutil.Error, OSError):
            return None

    @classmethod
    def of_child(cls, pid: int) -> "Identity | None":
        """Who a child is that was started just now."""
        deadline = time.monotonic() + 1
        while (found := cls.of(pid)) is not None:
            # For a moment after exec the system shows no command line at all.
            if found.command or time.monotonic() > deadline:
                break
            time.sleep(0.001)
        return found

    @classmethod
    def from_record(cls, record: Any) -> "Identity | None":
        """What `record()` wrote; None if it is something else."""
        try:
            return cls(int(record["pid"]), float(record["started"]), tuple(record["command"]))
        except (KeyError, TypeError, ValueError):
            return None

    def record(self) -> dict[str, Any]:
        """The identity as JSON can hold it."""
        return {"pid": self.pid, "started": self.started, "command": list(self.command)}

    def alive(self) -> bool:
        """Whether this very process still runs."""
        return Identity.of(self.pid) == self

    def age(self) -> float:
        """Seconds since the process started."""
        with suppress(OSError, ValueError):
            uptime = float(Path("/proc/uptime").read_text().split()[0])
            return max(0.0, uptime - self.started / os.sysconf("SC_CLK_TCK"))
        with suppress(psutil.Error):
            return max(0.0, time.time() - psutil.Process(self.pid).create_time())
        return 0.0

    def signal(self, number: int) -> bool:
        """Send a signal to this very process; False, and nothing sent, if it is gone."""
        with suppress(OSError):
            if not hasattr(os, "pidfd_open"):
                if not self.alive():
                    return False
                os.kill(self.pid, number)
                return True
            # Between the look and the signal the pid could go to another; a descriptor cannot.
            descriptor = os.pidfd_open(self.pid)
            try:
                if self.alive():
                    signal.pidfd_send_signal(descriptor, number)
                    return True
            finally:
                os.close(descriptor)
        return False


def _started(process: psutil.Process) -> float:
    try:
        stat = Path(f"/proc/{process.pid}/stat").read_bytes()
    except OSError:
        return process.create_time()
    # create_time() is by the wall clock and moves when that is set; the ticks do not.
    return float(stat.rpartition(b")")[2].split()[19])


def sessions() -> dict[int, list[int]]:
    """All pids by the session that they are in."""
    found: dict[int, list[int]] = {}
    for pid in psutil.pids():
        with suppress(OSError):
            found.setdefault(os.getsid(pid), []).append(pid)
    return found


def members(leader: Identity, home: Path) -> list[Identity]:
    """Who is in the session that `leader` began, the leader too, as far as they are ours.

    After the leader's end its pid may have become another's session. So a member counts only if
    its environment names our home, and nobody counts if a stranger leads.
    """
    now_leading = Identity.of(leader.pid)
    if now_leading is not None and now_leading != leader:
        return []
    return [
        identity
        for pid in sessions().get(leader.pid, [])
        if (identity := Identity.of(pid)) and (identity == leader or _in_home(pid, home))
    ]


def _in_home(pid: int, home: Path) -> bool:
    try:
        return psutil.Process(pid).environ().get("KOINX_HOME") == str(home)
    except (psutil.Error, OSError):
        return False


def find(command: tuple[str, ...], home: Path) -> Identity | None:
    """A session leader of this home with exactly this command line, or None."""
    for pid in sessions():
        identity = Identity.of(pid)
        if identity and identity.command == command and _in_home(pid, home):
            return identity
    return None


def end(identities: list[Identity]) -> None:
    """Kill each of them."""
    for identity in identities:
        identity.signal(signal.SIGKILL)


def usage(pids: list[int]) -> Iterator[tuple[float, int]]:
    """Processor seconds used so far and bytes of memory held, for each that still runs."""
    for pid in pids:
        with suppress(psutil.Error, OSError):
            process = psutil.Process(pid)
            with process.oneshot():
                times = process.cpu_times()
                yield times.user + times.system, process.memory_info().rss
