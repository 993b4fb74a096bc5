"""Reliability: a process id that was reused is never signalled."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dash_ui import identity
from dash_ui.folder import STATE_FILE, SUPERVISOR_FILE, Folder
from dash_ui.identity import Identity
from dash_ui.processes import Processes
from dash_ui.supervisor import Supervisor
from tests.support import wait_until
from tests.test_supervisor import folder, two_steady, wish

__all__ = ["folder"]

LAST_PID = Path("/proc/sys/kernel/ns_last_pid")
COMMAND = (sys.executable, "-c", "import time; time.sleep(60)")
TICK = 0.02  # the system counts starts in hundredths of a second


@contextmanager
def sleeping() -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen(COMMAND, start_new_session=True) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def sleeping_as(pid: int) -> Iterator["subprocess.Popen[bytes]"]:
    """A process with a pid of our choice, as the system gives it in time."""
    for _ in range(100):
        try:
            LAST_PID.write_text(str(pid - 1))
        except OSError as error:
            pytest.skip(f"no pid can be chosen here: {error}")
        with sleeping() as process:
            if process.pid == pid:
                yield process
                return
    raise AssertionError(f"pid {pid} was not to be had")


@pytest.mark.row("pid-reused")
def test_whoever_got_the_pid_of_one_that_ended_is_left_alone(folder: Folder) -> None:
    # Given a process that ended, whose pid and command line another has by now
    with sleeping() as process:
        ended = Identity.of_child(process.pid)
    assert ended is not None
    since = time.monotonic()
    wait_until(lambda: time.monotonic() > since + TICK, "another start time")
    with sleeping_as(ended.pid) as stranger:
        who = Identity.of_child(stranger.pid)
        assert who is not None
        assert (who.pid, who.command) == (ended.pid, ended.command)

        # When everything is to end, and the one that ended is noted
        assert not ended.alive()
        assert not ended.signal(signal.SIGTERM)
        identity.end(identity.members(ended, folder.home))
        folder.write(STATE_FILE, {"processes": [{"name": "first", "identity": ended.record()}]})
        folder.write(SUPERVISOR_FILE, ended.record())
        wish(folder, lambda old: old.stop_all())
        assert Supervisor(folder, two_steady(folder)).tick()
        Processes(folder.home).down()

        # Then the other one lives
        assert stranger.poll() is None
        assert Identity.of(stranger.pid) == who
