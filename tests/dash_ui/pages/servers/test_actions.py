"""What the Servers page's buttons bring about, on a home with two small processes."""

import pytest

import settings as project
from dash_ui.pages.servers.actions import ALL, handle_action
from supervisor.control import Processes
from supervisor.state_dir import StateDir
from tests.harness.process_control import facade, settings, until_ready, wait_ready
from tests.harness.supervised import folder, until

pytestmark = pytest.mark.system

__all__ = ["facade", "folder", "settings"]


def state(facade: Processes, name: str) -> str | None:
    found = facade.overview().get(name)
    return found["state"] if found else None


def renewed(facade: Processes, name: str, pid: int | None) -> bool:
    found = facade.overview().get(name)
    return found is not None and found["ready"] and found["pid"] != pid


def test_stop_start_and_restart_of_one(facade: Processes, settings: project.Settings) -> None:
    before = wait_ready(facade, facade.up(settings), "mongodb", "api")
    assert handle_action(facade, "stop", "api") == "Stopping api …"
    until(lambda: state(facade, "api") == "stopped")
    assert handle_action(facade, "start", "api") == "Starting api …"
    until_ready(facade, "api")
    assert handle_action(facade, "restart", "mongodb") == "Restarting mongodb …"
    until(
        lambda: (
            (p := facade.overview().get("mongodb"))
            and p["pid"] not in (None, before["mongodb"]["pid"])
        )
    )


def test_restart_stop_and_start_of_all(facade: Processes, settings: project.Settings) -> None:
    before = wait_ready(facade, facade.up(settings), "mongodb", "api")
    assert handle_action(facade, "restart", ALL).startswith("Restarting all …")
    until(lambda: all(renewed(facade, name, before[name]["pid"]) for name in before))
    assert handle_action(facade, "stop", ALL).startswith(
        "Stopping all … The dashboard keeps running"
    )
    until(lambda: state(facade, "api") == state(facade, "mongodb") == "stopped")
    assert handle_action(facade, "start", ALL) == "Starting all …"
    until_ready(facade, "api")


@pytest.mark.parametrize(("verb", "name"), [("down", "api"), ("stop", "../api"), ("stop", "nats")])
def test_what_is_not_offered_is_refused(
    facade: Processes, settings: project.Settings, verb: str, name: str
) -> None:
    serial = facade.up(settings)
    said = handle_action(facade, verb, name)
    assert said == (
        f"Unknown action {verb} {name}: use one of start, stop, restart; all, mongodb, api."
    )
    wait_ready(facade, serial, "api")
    assert facade.overview().serial == serial


def test_where_nothing_was_started_nothing_is(folder: StateDir) -> None:
    nobody = Processes(folder.home)
    assert (
        handle_action(nobody, "start", ALL)
        == "Nothing is running here: start KoinX with ./koinx up."
    )
    assert not nobody.supervised()


def test_a_fault_is_told_in_words(folder: StateDir, facade: Processes) -> None:
    folder.write("wish.json", {"settings": {"API_PORT": "many"}})
    assert handle_action(facade, "start", "api").startswith("Cannot start api: ")
    folder.write("wish.json", {})
