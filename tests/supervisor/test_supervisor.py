"""The supervisor, with small programs of its own to look after."""

import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from itertools import pairwise
from urllib.parse import urlsplit

import psutil
import pytest

import settings as project
from supervisor import desired_state, restart_backoff
from supervisor import process as managed_process
from supervisor.log_files import last_lines
from supervisor.process_identity import Identity
from supervisor.process_spec import ProcessSpec
from supervisor.state_dir import STATE_FILE, StateDir
from supervisor.supervisor import Plan, Supervisor, supervise
from tests.harness.supervised import (
    BEATS,
    Running,
    folder,
    in_home,
    plan_of,
    process,
    request_up,
    run,
    short_pauses,
    steady,
    supervisor_process,
    two_steady,
    until,
)

__all__ = ["folder", "run", "short_pauses"]

CRASHES = "import sys, time; print(time.monotonic()); sys.exit(3)"
PREPARES = """
import pathlib, sys, time
assert pathlib.Path(sys.argv[1]).exists(), "started before what it needs"
time.sleep(0.3)
print("prepared", flush=True)
"""


def test_starts_the_desired_processes_and_publishes_their_state(
    folder: StateDir, run: Running
) -> None:
    request_up(folder, "first")
    run(two_steady(folder))
    until(lambda: process(folder, "first").get("ready"))
    first = process(folder, "first")
    assert first["state"] == "running"
    assert os.getsid(first["pid"]) == first["pid"]
    assert process(folder, "second")["state"] == "stopped"
    assert process(folder, "second")["pid"] is None
    assert until(lambda: process(folder, "first")["rss_bytes"]) > 1_000_000
    assert (folder.run / STATE_FILE).stat().st_mode & 0o777 == 0o600


def test_a_crash_is_followed_by_a_new_start(folder: StateDir, run: Running) -> None:
    request_up(folder, "first", "second")
    run(two_steady(folder))
    until(lambda: process(folder, "first").get("ready"))
    until(lambda: process(folder, "second").get("ready"))
    before, other = process(folder, "first")["pid"], process(folder, "second")["pid"]
    os.kill(before, signal.SIGKILL)
    until(lambda: process(folder, "first")["pid"] not in (before, None))
    until(lambda: process(folder, "first")["ready"])
    assert process(folder, "first")["restarts"] == 1
    assert process(folder, "second")["pid"] == other


def test_pauses_grow_and_after_five_starts_it_gives_up(folder: StateDir, run: Running) -> None:
    request_up(folder, "bad")
    run(plan_of(ProcessSpec(name="bad", command=(sys.executable, "-c", CRASHES))))
    until(lambda: process(folder, "bad").get("state") == "crashed")
    until(lambda: process(folder, "bad")["state"] == "failed")
    assert process(folder, "bad")["exit_code"] == 3
    times = [float(line) for line in last_lines(folder.log("bad"), 10)]
    pauses = [later - earlier for earlier, later in pairwise(times)]
    assert len(times) == 5
    # No upper limits: on a busy machine a start takes as long as it takes.
    assert all(pause >= least for pause, least in zip(pauses, (0.1, 0.2, 0.4, 0.8), strict=True))


@pytest.mark.row("killed-often")
def test_kills_that_come_one_after_the_other_do_not_lengthen_the_pauses(
    folder: StateDir, run: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restart_backoff, "MAX_PAUSE_IF_WORKING", 0.2)
    request_up(folder, "first")
    run(plan_of(steady(folder, "first")))
    # Doubled each time, the last pause would be 26 s.
    for _ in range(9):
        until(lambda: process(folder, "first").get("ready"))
        killed = process(folder, "first")["pid"]
        os.kill(killed, signal.SIGKILL)
        until(lambda: process(folder, "first")["pid"] != killed)  # noqa: B023
    until(lambda: process(folder, "first")["ready"])


@pytest.mark.row("killed-often")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_what_is_killed_before_it_is_ready_is_never_given_up(
    folder: StateDir, run: Running, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(restart_backoff, "MAX_PAUSE_IF_WORKING", 0.2)
    sleeps = (sys.executable, "-c", "import time; time.sleep(300)")
    slow = replace(steady(folder, "slow"), command=sleeps)
    request_up(folder, "slow")
    run(plan_of(slow))
    for _ in range(restart_backoff.MAX_STARTS + 2):
        killed = until(lambda: process(folder, "slow").get("pid"))
        os.kill(killed, number)
        until(lambda: process(folder, "slow")["pid"] not in (killed, None))  # noqa: B023
    assert process(folder, "slow")["state"] == "starting"


def test_what_was_given_up_is_tried_again_when_asked_for(folder: StateDir, run: Running) -> None:
    request_up(folder, "bad")
    run(plan_of(ProcessSpec(name="bad", command=(sys.executable, "-c", CRASHES))))
    until(lambda: process(folder, "bad").get("state") == "failed")
    desired_state.update(folder, lambda old: old.start(["bad"]))
    until(lambda: len(last_lines(folder.log("bad"), 20)) > 5)


def test_nothing_of_an_old_session_is_left_when_it_starts_again(
    folder: StateDir, run: Running
) -> None:
    request_up(folder, "parent")
    run(plan_of(steady(folder, "parent", children=2)))
    until(lambda: process(folder, "parent").get("ready"))
    leader = process(folder, "parent")["pid"]
    children = psutil.Process(leader).children()
    assert len(children) == 2
    os.kill(leader, signal.SIGKILL)
    until(lambda: process(folder, "parent")["pid"] not in (leader, None))
    assert not [child for child in children if Identity.of(child.pid)]


def test_stop_and_restart_touch_one_process(folder: StateDir, run: Running) -> None:
    request_up(folder, "first", "second")
    run(two_steady(folder))
    until(lambda: process(folder, "first").get("ready") and process(folder, "second").get("ready"))
    first, second = process(folder, "first")["pid"], process(folder, "second")["pid"]
    desired_state.update(folder, lambda old: old.restart("first"))
    until(lambda: process(folder, "first")["pid"] not in (first, None))
    desired_state.update(folder, lambda old: old.stop("first"))
    until(lambda: process(folder, "first")["state"] == "stopped")
    assert process(folder, "first")["pid"] is None
    assert process(folder, "second")["pid"] == second
    assert process(folder, "first")["restarts"] == 0


def test_other_settings_restart_what_they_concern(folder: StateDir, run: Running) -> None:
    def plan(settings: project.Settings, _port: object, _secret: object) -> dict[str, ProcessSpec]:
        one = steady(folder, "first", environment={"COINS": settings.coins})
        return {"first": one, "second": steady(folder, "second")}

    request_up(folder, "first", "second")
    run(plan)
    until(lambda: process(folder, "first").get("ready") and process(folder, "second").get("ready"))
    first, second = process(folder, "first")["pid"], process(folder, "second")["pid"]
    values = {"KOINX_HOME": str(folder.home), "COINS": "bitcoin"}
    desired_state.update(folder, lambda old: old.up(["first", "second"], values))
    until(lambda: process(folder, "first")["pid"] not in (first, None))
    assert psutil.Process(process(folder, "first")["pid"]).environ()["COINS"] == "bitcoin"
    assert process(folder, "second")["pid"] == second


def test_preparation_comes_between_servers_and_what_needs_them(
    folder: StateDir, run: Running
) -> None:
    beats = str(folder.run / "first.beats")
    command = (sys.executable, "-c", PREPARES, beats)
    prepare = ProcessSpec(name="prepare", command=command, needs=("first",), oneshot=True)
    second = steady(folder, "second", needs=("first", "prepare"))
    request_up(folder, "first", "second")
    run(plan_of(steady(folder, "first"), prepare, second))
    until(lambda: process(folder, "second").get("pid"))
    assert last_lines(folder.log("prepare"), 5) == ["prepared"], "it came before"
    until(lambda: process(folder, "second").get("ready"))
    assert not process(folder, "prepare")
    os.kill(process(folder, "second")["pid"], signal.SIGKILL)
    until(lambda: process(folder, "second")["restarts"] == 1 and process(folder, "second")["ready"])
    assert last_lines(folder.log("prepare"), 5) == ["prepared"], "a crash needs no preparation"


@pytest.mark.row("worker-wedged")
def test_what_stands_still_is_started_anew(folder: StateDir, run: Running) -> None:
    request_up(folder, "first")
    run(plan_of(steady(folder, "first", stuck_after=0.5, stop_timeout=0.2)))
    monkey = pytest.MonkeyPatch()
    monkey.setattr("supervisor.health_checks.HEARTBEAT_TIMEOUT", 0.3)
    try:
        until(lambda: process(folder, "first").get("ready"))
        pid = process(folder, "first")["pid"]
        os.kill(pid, signal.SIGSTOP)
        until(lambda: process(folder, "first")["pid"] not in (pid, None))
        until(lambda: process(folder, "first")["ready"])
    finally:
        monkey.undo()


def test_a_new_supervisor_takes_over_from_one_that_was_killed(
    folder: StateDir, run: Running
) -> None:
    request_up(folder, "first", "second")
    with supervisor_process(folder) as old:
        try:
            until(lambda: process(folder, "first").get("ready"))
            until(lambda: process(folder, "second").get("ready"))
            os.kill(process(folder, "first")["pid"], signal.SIGKILL)
            until(lambda: process(folder, "first")["restarts"] == 1)
            until(lambda: process(folder, "first")["ready"])
        finally:
            old.kill()
    pids = [process(folder, name)["pid"] for name in ("first", "second")]
    request_up(folder, "first", "second")
    run(two_steady(folder))
    until(lambda: folder.read(STATE_FILE)["serial"] == 2)
    until(lambda: process(folder, "first")["ready"] and process(folder, "second")["ready"])
    assert [process(folder, name)["pid"] for name in ("first", "second")] == pids
    assert process(folder, "first")["restarts"] == 1
    assert psutil.pid_exists(pids[0])
    os.kill(pids[0], signal.SIGKILL)
    until(lambda: process(folder, "first")["pid"] not in (pids[0], None))


def test_a_restart_wished_for_while_no_supervisor_ran_is_done_once(
    folder: StateDir, run: Running
) -> None:
    request_up(folder, "first", "second")
    with supervisor_process(folder) as old:
        try:
            until(lambda: process(folder, "first").get("ready"))
            until(lambda: process(folder, "second").get("ready"))
        finally:
            old.kill()
    first, second = (process(folder, name)["pid"] for name in ("first", "second"))
    desired_state.update(folder, lambda old: old.restart("first"))
    with supervisor_process(folder) as next_one:
        try:
            until(lambda: process(folder, "first").get("pid") not in (first, None))
            until(lambda: process(folder, "first")["ready"])
        finally:
            next_one.kill()
    again = process(folder, "first")["pid"]
    desired_state.update(folder, lambda old: old.stop("nothing"))
    run(two_steady(folder))
    until(lambda: folder.read(STATE_FILE)["serial"] == 3 and process(folder, "first")["ready"])
    assert process(folder, "first")["pid"] == again
    assert process(folder, "second")["pid"] == second


STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + BEATS


def one_stubborn(folder: StateDir) -> Plan:
    first = steady(folder, "first", stop_timeout=1)
    return plan_of(replace(first, command=(sys.executable, "-c", STUBBORN, *first.command[3:])))


def test_a_restart_that_was_under_way_is_brought_to_its_end(folder: StateDir, run: Running) -> None:
    request_up(folder, "first")
    with supervisor_process(folder, one_stubborn) as old:
        try:
            until(lambda: process(folder, "first").get("ready"))
            first = process(folder, "first")["pid"]
            desired_state.update(folder, lambda old: old.restart("first"))
            until(lambda: folder.read(STATE_FILE)["serial"] == 2)
        finally:
            old.kill()
    assert psutil.pid_exists(first)
    run(one_stubborn(folder))
    until(lambda: process(folder, "first").get("pid") not in (first, None))


def prepared(folder: StateDir) -> Plan:
    beats = str(folder.run / "first.beats")
    prepare = ProcessSpec(
        name="prepare",
        command=(sys.executable, "-c", PREPARES, beats),
        needs=("first",),
        oneshot=True,
    )
    second = steady(folder, "second", needs=("first", "prepare"))
    return plan_of(steady(folder, "first"), prepare, second)


def test_a_start_wished_for_while_no_supervisor_ran_is_prepared(
    folder: StateDir, run: Running
) -> None:
    request_up(folder, "first", "second")
    with supervisor_process(folder, prepared) as old:
        try:
            until(lambda: process(folder, "second").get("ready"))
            desired_state.update(folder, lambda old: old.stop("second"))
            until(lambda: process(folder, "second")["state"] == "stopped")
        finally:
            old.kill()
    desired_state.update(folder, lambda old: old.start(["second"]))
    run(prepared(folder))
    until(lambda: process(folder, "second").get("ready"))
    assert last_lines(folder.log("prepare"), 5) == ["prepared", "prepared"]


def test_one_that_was_started_but_not_noted_is_found(folder: StateDir, run: Running) -> None:
    request_up(folder, "first", "second")
    with supervisor_process(folder) as old:
        try:
            until(lambda: process(folder, "first").get("ready"))
            pid = process(folder, "first")["pid"]
        finally:
            old.kill()
    (folder.run / STATE_FILE).unlink()
    run(two_steady(folder))
    until(lambda: process(folder, "first").get("ready"))
    assert process(folder, "first")["pid"] == pid


def test_one_that_was_not_noted_is_started_anew_if_its_settings_changed(
    folder: StateDir, run: Running
) -> None:
    request_up(folder, "first")
    with supervisor_process(folder) as old:
        try:
            until(lambda: process(folder, "first").get("ready"))
            pid = process(folder, "first")["pid"]
        finally:
            old.kill()
    (folder.run / STATE_FILE).unlink()
    run(plan_of(steady(folder, "first", environment={"COINS": "bitcoin"})))
    until(lambda: process(folder, "first").get("ready"))
    assert process(folder, "first")["pid"] != pid


@pytest.mark.parametrize("damaged", [b"", b"\0" * 100, b'{"serial": 2, "wan', b"[]", b"\xff"])
def test_a_damaged_desired_state_stops_nothing(
    folder: StateDir, run: Running, damaged: bytes
) -> None:
    # Given two processes that run
    request_up(folder, "first", "second")
    run(two_steady(folder))
    until(lambda: process(folder, "first").get("ready") and process(folder, "second").get("ready"))
    pid = process(folder, "first")["pid"]

    # When the desired state is damaged
    (folder.run / "draft").write_bytes(damaged)
    (folder.run / "draft").replace(folder.run / desired_state.FILE)
    written = folder.read(STATE_FILE)["processes"]
    until(lambda: folder.read(STATE_FILE)["processes"] != written)

    # Then they go on, and the next request is not taken for one that was answered already
    assert process(folder, "first")["pid"] == pid
    desired_state.update(folder, lambda old: old.start(["second"]))
    assert desired_state.read(folder).serial == 2


def test_sigterm_to_the_supervisor_leaves_the_processes(folder: StateDir) -> None:
    command = [sys.executable, "-m", "supervisor.supervisor"]
    environment = managed_process.environment(folder.home) | {"KOINX_ENV_FILE": ""}
    with subprocess.Popen(command, cwd=project.ROOT, env=environment) as supervisor:
        try:
            until(lambda: folder.is_locked("supervisor.lock"))
            until(lambda: folder.read(STATE_FILE))
        finally:
            supervisor.terminate()
        assert supervisor.wait(10) == 0
    assert not folder.is_locked("supervisor.lock")


@pytest.mark.row("pid-reused")
def test_a_stranger_with_a_noted_pid_is_never_signalled(folder: StateDir) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True
    ) as stranger:
        try:
            who = Identity.of(stranger.pid)
            assert who
            for change in ({"started": who.started - 100}, {"boot": "another"}):
                record = {"name": "first", "identity": who.record() | change}
                folder.write(STATE_FILE, {"processes": [record]})
                desired_state.update(folder, lambda old: old.stop_all())
                assert Supervisor(folder, two_steady(folder)).tick()
                assert stranger.poll() is None
                assert Identity.of(stranger.pid) == who
        finally:
            stranger.kill()


def test_down_leaves_no_process_and_ends_in_order(folder: StateDir) -> None:
    plan = plan_of(steady(folder, "server", stage=3), steady(folder, "user", children=1))
    request_up(folder, "server", "user")
    supervisor = Supervisor(folder, plan)
    until(lambda: supervisor.tick() or process(folder, "user").get("ready"))
    until(lambda: supervisor.tick() or process(folder, "server").get("ready"))
    desired_state.update(folder, lambda old: old.stop_all())
    order: list[list[str]] = []
    ended = False
    while not ended:
        ended = supervisor.tick()
        alive = [n for n in ("server", "user") if process(folder, n)["pid"]]
        if not order or order[-1] != alive:
            order.append(alive)
    assert order == [["server", "user"], ["server"], []]
    assert in_home(folder.home) == []
    assert not (folder.run / project.RUNNING_FILE).exists()


def test_only_one_supervisor_runs(folder: StateDir) -> None:
    with folder.locked("supervisor.lock", wait=0) as held:
        assert held
        assert supervise(folder, threading.Event(), two_steady(folder)) == 1


def test_the_settings_in_force_are_left_for_other_terminals(folder: StateDir, run: Running) -> None:
    request_up(folder, "first")
    run(two_steady(folder))
    file = folder.run / project.RUNNING_FILE
    until(file.exists)
    assert file.stat().st_mode & 0o777 == 0o600
    environment = {"KOINX_HOME": str(folder.home), "KOINX_ENV_FILE": ""}
    assert urlsplit(project.load(environment).server("redis_url")).hostname == "127.0.0.1"
