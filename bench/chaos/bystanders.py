"""Processes that are nobody's here, and that note every signal which reaches them."""

import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from bench.harness.services import wait_until

LAST_PID = Path("/proc/sys/kernel/ns_last_pid")
TRIES = 200
NOTES = """
import signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
with open(sys.argv[1], "w", buffering=1) as file:
    print("ready", file=file)
    while True:
        print(signal.sigwait(signal.valid_signals()), file=file)
"""


class Stranger:
    """One of them, in a session of its own; `pid` asks for a pid that another had."""

    def __init__(self, notes: Path, pid: int | None = None) -> None:
        self._notes = notes
        command = [sys.executable, "-I", "-S", "-c", NOTES, str(notes)]
        self._process = _given(pid, command) if pid else _started(command)
        wait_until(self._lines, "a stranger to listen")

    @property
    def pid(self) -> int:
        """Its pid."""
        return self._process.pid

    def signals(self) -> list[str]:
        """The numbers of the signals that it got, and how it ended if it did."""
        code = self._process.poll()
        return [*self._lines()[1:], *([] if code is None else [f"ended with {code}"])]

    def end(self) -> None:
        """Ends it."""
        self._process.kill()
        self._process.wait()

    def _lines(self) -> Sequence[str]:
        with suppress(OSError):
            return self._notes.read_text().splitlines()
        return []


def _started(command: list[str]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)


def _given(pid: int, command: list[str]) -> "subprocess.Popen[bytes]":
    """The command under a pid that is free; OSError where the system does not let one choose."""
    for _ in range(TRIES):
        LAST_PID.write_text(str(pid - 1))
        process = _started(command)
        if process.pid == pid:
            return process
        process.kill()
        process.wait()
    raise OSError(f"pid {pid} was not to be had in {TRIES} tries")
