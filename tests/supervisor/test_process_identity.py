"""Reliability: a process id that was reused is never signalled."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from bench.harness.services import wait_until
from supervisor import desired_state, process_identity
from supervisor.control import Processes
from supervisor.health_checks import Probe
from supervisor.process_identity import Identity
from supervisor.process_spec import ProcessSpec
from supervisor.state_dir import STATE_FILE, SUPERVISOR_FILE, StateDir
from supervisor.supervisor import Plan, Supervisor
from tests.harness.supervised import (
    folder,
    in_home,
    plan_of,
    process,
    request_up,
    supervisor_process,
    two_steady,
    until,
)

__all__ = ["folder"]

LAST_PID = Path("/proc/sys/kernel/ns_last_pid")
RENAMES = """
import os, pathlib, signal, sys, time
file, renamed = pathlib.Path(sys.argv[1]), len(sys.argv) > 2
while not renamed and not file.with_suffix(".rename").exists():
    file.write_text(str(time.monotonic_ns()))
    time.sleep(0.01)
if not renamed:  # the same process from now on, with another command line
    os.execl(sys.executable, "celeryd: worker", "-c", os.environ["PROGRAM"], str(file), "renamed")
while True:
    file.write_text(str(time.monotonic_ns()))
    time.sleep(0.05)
"""
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
def test_whoever_got_the_pid_of_one_that_ended_is_left_alone(folder: StateDir) -> None:
    # Given a process that ended, whose pid another has by now, with the same command line
    with sleeping() as process:
        ended = Identity.of(process.pid)
    assert ended is not None
    since = time.monotonic()
    wait_until(lambda: time.monotonic() > since + TICK, "another start time")
    with sleeping_as(ended.pid) as stranger:
        who = Identity.of(stranger.pid)
        assert who is not None
        assert (who.pid, who.boot) == (ended.pid, ended.boot)

        # When everything is to end, and the one that ended is noted
        assert not ended.alive()
        assert not ended.signal(signal.SIGTERM)
        process_identity.kill(process_identity.session_members(ended, folder.home))
        folder.write(STATE_FILE, {"processes": [{"name": "first", "identity": ended.record()}]})
        folder.write(SUPERVISOR_FILE, ended.record())
        desired_state.update(folder, lambda old: old.stop_all())
        assert Supervisor(folder, two_steady(folder)).tick()
        Processes(folder.home).down()

        # Then the other one lives
        assert stranger.poll() is None
        assert Identity.of(stranger.pid) == who


def renaming(folder: StateDir) -> Plan:
    """A process that takes another command line once it is told to, as with setproctitle."""
    file = str(folder.run / "first.beats")
    return plan_of(
        ProcessSpec(
            name="first",
            command=(sys.executable, "-c", RENAMES, file),
            environment={"PROGRAM": RENAMES},
            probe=Probe("heartbeat", file, interval=0.1),
        )
    )


@pytest.mark.row("pid-reused")
@pytest.mark.parametrize("noted", [True, False])
def test_a_process_that_changed_its_command_line_stays_ours(folder: StateDir, noted: bool) -> None:
    # Given a process with another command line than it was started with
    request_up(folder, "first")
    with supervisor_process(folder, renaming) as supervisor:
        try:
            until(lambda: process(folder, "first").get("ready"))
            pid = process(folder, "first")["pid"]
            (folder.run / "first.rename").touch()
            until(lambda: psutil.Process(pid).cmdline()[0] == "celeryd: worker")
        finally:
            supervisor.kill()
    assert Processes(folder.home).overview().processes[0]["pid"] == pid

    # When another supervisor comes, the process is noted or not
    state = folder.read(STATE_FILE)
    if noted:
        state["processes"][0]["ready"] = False
        folder.write(STATE_FILE, state)
    else:
        (folder.run / STATE_FILE).unlink()
    (folder.run / "first.rename").unlink()
    with supervisor_process(folder, renaming) as supervisor:
        try:
            until(lambda: process(folder, "first").get("ready"))

            # Then it is the same process, which can be started anew and ended
            assert process(folder, "first")["pid"] == pid
            desired_state.update(folder, lambda old: old.restart("first"))
            until(lambda: process(folder, "first")["pid"] not in (None, pid))
            assert Identity.of(pid) is None
            desired_state.update(folder, lambda old: old.stop_all())
            assert supervisor.wait(10) == 0
        finally:
            supervisor.kill()
    assert in_home(folder.home) == []


def test_what_an_earlier_version_noted_is_known() -> None:
    me = Identity.of(os.getpid())
    assert me is not None
    noted = {"pid": me.pid, "started": me.started, "command": ["python", "of before"]}
    assert Identity.from_record(noted) == me
    assert Identity.from_record(noted | {"started": me.started - 1}) != me
    assert Identity.from_record(["no record"]) is None


def test_what_an_earlier_version_left_running_is_seen_and_ended(folder: StateDir) -> None:
    # Given a process whose supervisor was killed, in the records of an earlier version
    request_up(folder, "first")
    with supervisor_process(folder, two_steady) as supervisor:
        try:
            until(lambda: process(folder, "first").get("ready"))
        finally:
            supervisor.kill()
    state, lost = folder.read(STATE_FILE), folder.read(SUPERVISOR_FILE)
    for record in (lost, *filter(None, (one.get("identity") for one in state["processes"]))):
        del record["boot"]
        record["command"] = ["python", "of before"]
    folder.write(STATE_FILE, state)
    folder.write(SUPERVISOR_FILE, lost)
    pid = next(one["pid"] for one in state["processes"] if one["name"] == "first")

    # Then it is seen, and ended
    seen = {one["name"]: one["pid"] for one in Processes(folder.home).overview().processes}
    assert seen["first"] == pid
    Processes(folder.home).down()
    until(lambda: Identity.of(pid) is None)
    assert in_home(folder.home) == []
