"""Tell a process apart from any other that has, or had, its pid."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import psutil

AS = "SUPERVISED_AS"  # in the environment of each process that a supervisor starts: as what


@dataclass(frozen=True)
class Identity:
    """A process by pid, start and boot: a pid alone is given to another in time.

    Never by its command line, which a process may change (setproctitle). `started` counts clock
    ticks since boot where the system tells, else seconds since 1970: only good for comparing.
    """

    pid: int
    started: float
    boot: str

    @classmethod
    def of(cls, pid: int) -> "Identity | None":
        """Who has `pid` now; None for nobody, a zombie, or one that may not be looked at."""
        try:
            process = psutil.Process(pid)
            if process.status() == psutil.STATUS_ZOMBIE:
                return None
            return cls(pid, _started(process), _boot())
        except (psutil.Error, OSError):
            return None

    @classmethod
    def from_record(cls, record: Any) -> "Identity | None":
        """What `record()` wrote; None if it is something else.

        Version 0.1 wrote no boot: what it started is of this one if the ticks agree.
        """
        try:
            boot = record.get("boot", _boot())
            return cls(int(record["pid"]), float(record["started"]), str(boot))
        except (AttributeError, KeyError, TypeError, ValueError):
            return None

    def record(self) -> dict[str, Any]:
        """The identity as JSON can hold it."""
        return asdict(self)

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


@cache
def _boot() -> str:
    """The system's name for the time since it was started, for which its ticks count."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


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
    found = [who for pid in sessions().get(leader.pid, []) if (who := Identity.of(pid))]
    if leader.alive():
        return found
    if Identity.of(leader.pid) is not None:
        return []
    return [who for who in found if _environment(who.pid).get("KOINX_HOME") == str(home)]


def find(home: Path) -> dict[str, tuple[Identity, str]]:
    """By name who was started by a supervisor of this home, and the fingerprint of its spec."""
    found = {}
    for pid in sessions():
        identity, environment = Identity.of(pid), _environment(pid)
        name, _, fingerprint = environment.get(AS, "").partition(":")
        if identity and name and environment.get("KOINX_HOME") == str(home):
            found[name] = identity, fingerprint
    return found


def _environment(pid: int) -> dict[str, str]:
    """With what a process was started; {} if it may not be looked at."""
    try:
        return psutil.Process(pid).environ()
    except (psutil.Error, OSError):
        return {}


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
