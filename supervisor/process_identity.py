"""Identifies a process reliably, although the system reuses pids."""

import os
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import psutil

AS = "SUPERVISED_AS"  # in the environment of each supervised process: `name:fingerprint`


@dataclass(frozen=True)
class Identity:
    """A process by pid, start time and boot: the system gives a pid to another process in time.

    The command line does not count, because a process may change it (setproctitle). `started`
    counts clock ticks since boot where the system tells them, else seconds since 1970: it is only
    good for comparing.
    """

    pid: int
    started: float
    boot: str

    @classmethod
    def of(cls, pid: int) -> "Identity | None":
        """Identifies the process that has `pid` now; None if none can be inspected."""
        try:
            process = psutil.Process(pid)
            if process.status() == psutil.STATUS_ZOMBIE:
                return None
            return cls(pid, _started(process), _boot())
        except (psutil.Error, OSError):
            return None

    @classmethod
    def from_record(cls, record: Any) -> "Identity | None":
        """Reads what `record()` wrote; None if it is something else.

        Version 0.1 wrote no boot: its processes are of this boot if the ticks agree.
        """
        try:
            boot = record.get("boot", _boot())
            return cls(int(record["pid"]), float(record["started"]), str(boot))
        except (AttributeError, KeyError, TypeError, ValueError):
            return None

    def record(self) -> dict[str, Any]:
        """Returns the identity in a form that JSON can hold."""
        return asdict(self)

    def alive(self) -> bool:
        """Returns whether this very process is still running."""
        return Identity.of(self.pid) == self

    def age(self) -> float:
        """Returns the seconds since the process started."""
        with suppress(OSError, ValueError):
            uptime = float(Path("/proc/uptime").read_text().split()[0])
            return max(0.0, uptime - self.started / os.sysconf("SC_CLK_TCK"))
        with suppress(psutil.Error):
            return max(0.0, time.time() - psutil.Process(self.pid).create_time())
        return 0.0

    def signal(self, number: int) -> bool:
        """Sends a signal to this very process; returns False, and sends nothing, if it is gone."""
        with suppress(OSError):
            if not hasattr(os, "pidfd_open"):
                if not self.alive():
                    return False
                os.kill(self.pid, number)
                return True
            # Before the signal another process could get the pid; a descriptor stays the same.
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
    # create_time() follows the wall clock and moves when that is set; the ticks do not.
    return float(stat.rpartition(b")")[2].split()[19])


@cache
def _boot() -> str:
    """Returns the id of the current boot, since which the system counts ticks."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def sessions() -> dict[int, list[int]]:
    """Groups all pids by their session."""
    found: dict[int, list[int]] = {}
    for pid in psutil.pids():
        with suppress(OSError):
            found.setdefault(os.getsid(pid), []).append(pid)
    return found


def session_members(leader: Identity, home: Path) -> list[Identity]:
    """Finds the processes of the session that `leader` started, including the leader.

    Once the leader has exited, its pid may name the session of a foreign process. Then a member
    counts only if its environment names our home, and none counts if the leader's pid is in use.
    """
    members = [one for pid in sessions().get(leader.pid, []) if (one := Identity.of(pid))]
    if leader.alive():
        return members
    if Identity.of(leader.pid) is not None:
        return []
    return [one for one in members if _environment(one.pid).get("KOINX_HOME") == str(home)]


def find_supervised(home: Path) -> dict[str, tuple[Identity, str]]:
    """Finds the processes that a supervisor of this home started, with their fingerprints."""
    found = {}
    for pid in sessions():
        identity, environment = Identity.of(pid), _environment(pid)
        name, _, fingerprint = environment.get(AS, "").partition(":")
        if identity and name and environment.get("KOINX_HOME") == str(home):
            found[name] = identity, fingerprint
    return found


def _environment(pid: int) -> dict[str, str]:
    """Returns a process's environment; {} if it cannot be inspected."""
    try:
        return psutil.Process(pid).environ()
    except (psutil.Error, OSError):
        return {}


def kill(identities: list[Identity]) -> None:
    """Kills each of them."""
    for identity in identities:
        identity.signal(signal.SIGKILL)


def usage(pids: Iterable[int]) -> Iterator[tuple[float, int]]:
    """Yields the CPU seconds used and the bytes of memory held by each running process."""
    for pid in pids:
        with suppress(psutil.Error, OSError):
            process = psutil.Process(pid)
            with process.oneshot():
                times = process.cpu_times()
                yield times.user + times.system, process.memory_info().rss
