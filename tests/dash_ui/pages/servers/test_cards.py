"""What the Servers page's cards show of each process."""

from pathlib import Path
from typing import Any

import pytest

from dash_ui.pages.servers import cards
from supervisor.control import Detail, Overview, Processes
from tests.harness.servers_data import a_process


@pytest.fixture
def processes(tmp_path: Path) -> Processes:
    found = Processes(tmp_path)
    found.state_dir.create()
    found.state_dir.log("api").write_text("Traceback\nOSError: its port is in use\n")
    return found


def shown(processes: Processes, process: Detail, *, enabled: bool = True) -> dict[str, Any]:
    overview = Overview(1, None, [process], None)
    found: dict[str, Any] = cards.render(overview, processes, enabled=enabled)[process["name"]]
    return found


def test_one_that_was_given_up_says_why_and_can_be_started_again(processes: Processes) -> None:
    nothing = dict.fromkeys(("pid", "url", "uptime_s", "cpu_percent", "rss_bytes"))
    failed = a_process(state="failed", ready=False, exit_code=1, **nothing)
    found = shown(processes, failed)
    assert found["trouble"] == "Exit code 1. Last log line: OSError: its port is in use"
    assert (found["figures"], found["url"], found["href"]) == ("", "", None)
    assert found["off"] == {"start": False, "stop": False, "restart": False}


@pytest.mark.parametrize(
    ("state", "off"),
    [
        ("running", {"start": True, "stop": False, "restart": False}),
        ("starting", {"start": True, "stop": False, "restart": False}),
        ("stopped", {"start": False, "stop": True, "restart": True}),
        ("crashed", {"start": False, "stop": False, "restart": False}),
    ],
)
def test_a_button_is_off_where_it_would_do_nothing(
    processes: Processes, state: str, off: dict[str, bool]
) -> None:
    assert shown(processes, a_process(state=state))["off"] == off
    assert all(shown(processes, a_process(state=state), enabled=False)["off"].values())


def test_only_an_address_that_a_browser_can_show_is_a_link(processes: Processes) -> None:
    assert shown(processes, a_process())["href"] == "http://127.0.0.1:3000"
    nats = shown(processes, a_process(name="nats", url="nats://127.0.0.1:4222"))
    assert (nats["url"], nats["href"]) == ("nats://127.0.0.1:4222", None)


def test_a_process_that_these_settings_do_not_call_for_is_hidden(processes: Processes) -> None:
    overview = Overview(1, None, [a_process()], None)
    hidden = {
        name: one["hidden"] for name, one in cards.render(overview, processes, enabled=True).items()
    }
    assert not hidden.pop("api")
    assert all(hidden.values())
