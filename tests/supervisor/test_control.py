"""The facade for the command line and the dashboard."""

import os
import signal
import time
from typing import Any

import pytest

import settings as project
from supervisor import control, desired_state, log_files
from supervisor.control import Processes
from supervisor.process_identity import Identity
from supervisor.process_spec import ProcessSpec
from supervisor.state_dir import STATE_FILE, SUPERVISOR_FILE, StateDir
from tests.harness.process_control import facade, until_ready, wait_ready
from tests.harness.supervised import (
    folder,
    in_home,
    supervisor_process,
    until,
)

__all__ = ["facade", "folder"]


def test_up_tells_of_each_process_what_the_contract_says(
    facade: Processes, settings: project.Settings
) -> None:
    found = wait_ready(facade, facade.up(settings), "mongodb", "api")
    assert list(found) == ["mongodb", "api"]
    contract = {
        *("name", "state", "ready", "pid", "url", "uptime_s", "restarts"),
        *("cpu_percent", "rss_bytes"),
    }
    assert set(control.Process.__annotations__) == contract
    assert contract <= set(found["api"])
    assert found["api"]["state"] == "running"
    assert found["api"]["exit_code"] is None
    assert found["api"]["fingerprint"]
    assert found["api"]["uptime_s"] >= 0


def test_a_second_up_touches_nothing(facade: Processes, settings: project.Settings) -> None:
    before = wait_ready(facade, facade.up(settings), "mongodb", "api")
    after = wait_ready(facade, facade.up(settings), "mongodb", "api")
    assert [p["pid"] for p in after.values()] == [p["pid"] for p in before.values()]


def test_starting_one_starts_what_it_needs(facade: Processes, settings: project.Settings) -> None:
    found = wait_ready(facade, facade.start("api", settings), "api")
    assert found["mongodb"]["ready"]


def test_stop_restart_and_start_of_one(facade: Processes, settings: project.Settings) -> None:
    before = wait_ready(facade, facade.up(settings), "mongodb", "api")
    again = wait_ready(facade, facade.restart("api", settings), "api")
    assert again["api"]["pid"] != before["api"]["pid"]
    assert again["mongodb"]["pid"] == before["mongodb"]["pid"]
    serial = facade.stop("api")
    until(lambda: facade.overview().serial == serial)
    stopped = until(lambda: (p := facade.overview().get("api")) and p["state"] == "stopped" and p)
    assert (stopped["pid"], stopped["url"], stopped["rss_bytes"]) == (None, None, None)


def test_down_leaves_nothing_and_may_be_said_twice(
    facade: Processes, settings: project.Settings, folder: StateDir
) -> None:
    wait_ready(facade, facade.up(settings), "mongodb", "api")
    facade.down()
    assert {p["state"] for p in facade.overview().processes} == {"stopped"}
    assert in_home(folder.home) == []
    assert not facade.supervised()
    facade.down()


def test_down_where_nothing_ever_ran(tmp_path: Any) -> None:
    Processes(tmp_path / "never").down()
    assert not (tmp_path / "never").exists()


@pytest.mark.parametrize("fate", [signal.SIGKILL, signal.SIGSTOP])
def test_down_does_the_stopping_itself_without_a_supervisor(
    folder: StateDir, fate: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "FROZEN_AFTER", 0.5)
    environment = {"KOINX_HOME": str(folder.home)}
    desired_state.update(folder, lambda state: state.up(["first", "second"], environment))
    facade = Processes(folder.home)
    with supervisor_process(folder) as supervisor:
        try:
            for name in ("first", "second"):
                until_ready(facade, name)
            os.kill(supervisor.pid, fate)
            if fate == signal.SIGKILL:
                supervisor.wait(10)
                left = facade.overview().processes
                assert [p["state"] for p in left] == ["running", "running"]
                assert not any(p["ready"] for p in left), "nobody asks them any more"
            facade.down()
        finally:
            supervisor.kill()
    assert in_home(folder.home) == []
    assert {p["state"] for p in facade.overview().processes} == {"stopped"}


def test_a_supervisor_that_does_not_start_is_told(
    folder: StateDir, settings: project.Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")
    facade = Processes(folder.home)
    with pytest.raises(control.SupervisorError, match="the supervisor does not start"):
        for _ in facade.wait(facade.up(settings), 10):
            pass


def test_start_all_keeps_the_settings_that_are_in_force(
    facade: Processes, settings: project.Settings
) -> None:
    wait_ready(facade, facade.up(settings), "mongodb", "api")
    facade.start_all(settings.model_copy(update={"coins": "other"}))
    assert desired_state.read(facade.state_dir).settings["COINS"] == settings.coins


def test_a_log_is_put_aside_when_it_grew(tmp_path: Any) -> None:
    path = tmp_path / "a.log"
    for round_ in range(5):
        path.write_text(f"round {round_}\n" * 10)
        log_files.rotate(path, max_bytes=50)
        assert path.stat().st_size == 0
    kept = sorted(file.name for file in tmp_path.iterdir())
    assert kept == ["a.log", "a.log.1", "a.log.2", "a.log.3"]
    assert (tmp_path / "a.log.1").read_text().startswith("round 4")


def test_a_tail_goes_on_over_a_rotation(tmp_path: Any) -> None:
    path = tmp_path / "a.log"
    path.write_text("old\n")
    tail = log_files.Tail(path)
    with path.open("a") as file:
        file.write("one\ntw")
        file.flush()
        assert list(tail.lines()) == ["one"]
        file.write("o\n")
        file.flush()
        assert list(tail.lines()) == ["two"]
    path.write_text("new\n")
    assert list(tail.lines()) == ["new"]


def test_damaged_files_are_as_none(folder: StateDir) -> None:
    for name in (STATE_FILE, SUPERVISOR_FILE, desired_state.FILE):
        (folder.run / name).write_text("{not json")
    facade = Processes(folder.home)
    assert facade.overview().processes == []
    assert facade.settings() is None
    facade.down()


def test_an_identity_is_more_than_a_pid() -> None:
    me = Identity.of(os.getpid())
    assert me
    assert me.alive()
    assert Identity.from_record(me.record()) == me
    assert Identity.from_record({"pid": "x"}) is None
    assert 0 < me.age() < time.monotonic() + 1
    assert isinstance(ProcessSpec(name="a", command=("b",)).fingerprint, str)
