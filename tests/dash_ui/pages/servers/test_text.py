"""What the Servers page says."""

from datetime import timedelta
from typing import Any

import pytest

from api_client.updates import Readiness, Repairs
from dash_ui.pages.servers import text as servers_text
from supervisor.control import Overview
from tests.harness.servers_data import NOW, a_process, an_update


@pytest.mark.parametrize(
    ("known", "text"),
    [
        ({}, "● running, ready"),
        ({"ready": False}, "◐ running, not ready"),
        ({"state": "starting"}, "◌ starting"),
        ({"state": "stopped"}, "○ stopped"),
        ({"state": "crashed"}, "↻ crashed, restarting"),
        ({"state": "failed"}, "✖ failed: gave up after repeated crashes"),
    ],
)
def test_a_state_has_a_sign_and_the_contract_s_word(known: dict[str, Any], text: str) -> None:
    assert servers_text.state(a_process(**known)) == text


def test_figures_and_what_is_missing_of_them() -> None:
    assert (
        servers_text.figures(a_process())
        == "up 1 min · 1 restart · CPU 1.2 % · memory 125\N{NO-BREAK SPACE}MB"
    )
    unknown = a_process(uptime_s=None, restarts=0, cpu_percent=None, rss_bytes=None)
    assert servers_text.figures(unknown) == "up n/a · 0 restarts · CPU n/a · memory n/a"


@pytest.mark.parametrize(
    ("count", "text"),
    [(512, "512 bytes"), (2048, "2.0 kB"), (9 * 1024**2, "9.0 MB"), (3 * 1024**3, "3.0 GB")],
)
def test_a_size(count: int, text: str) -> None:
    assert servers_text.size(count).replace("\N{NO-BREAK SPACE}", " ") == text


@pytest.mark.parametrize(
    ("code", "lines", "text"),
    [
        (-9, [], "Killed by SIGKILL (exit code -9). The log is empty."),
        (
            1,
            ["Traceback", "OSError: port 3000 is in use", " "],
            "Exit code 1. Last log line: OSError: port 3000 is in use",
        ),
        (None, ["bye"], "Exit code unknown. Last log line: bye"),
        (-500, ["bye"], "Exit code -500. Last log line: bye"),
    ],
)
def test_how_it_ended_with_its_last_words(code: int | None, lines: list[str], text: str) -> None:
    assert servers_text.trouble(a_process(state="crashed", exit_code=code), lines) == text


def test_no_trouble_no_words() -> None:
    assert servers_text.trouble(a_process(), ["a line"]) == ""


@pytest.mark.parametrize(
    ("problem", "supervised", "silence", "text"),
    [
        (None, True, 0.5, ""),
        (None, True, None, ""),
        ("no mongod", True, 0.5, "Cannot start the processes: no mongod"),
        (None, False, 0.5, "The supervisor is not running"),
        (None, True, 12.0, "The supervisor has not reported for 12 s: these states may be old."),
    ],
)
def test_what_keeps_the_states_from_being_trusted(
    problem: str | None, supervised: bool, silence: float | None, text: str
) -> None:
    overview = Overview(1, problem, [a_process()], None)
    said = servers_text.concern(overview, supervised=supervised, silence=silence)
    assert said.startswith(text)
    assert bool(said) == bool(text)


@pytest.mark.parametrize(
    ("known", "text"),
    [
        ({}, "● done · 2026-11-23 02:00:00 UTC · schedule · took 250 ms · 1,200 quotes stored"),
        (
            {"state": "running", "stage": "fetching", "progress": 0.4, "finished_at": None},
            "◐ running · 2026-11-23 02:00:00 UTC · schedule · fetching, 40%",
        ),
        (
            {"state": "failed", "error": "CoinGecko answered 500", "hops": {}},
            "✖ failed · 2026-11-23 02:00:00 UTC · schedule · CoinGecko answered 500",
        ),
        (
            {"state": "missed", "hops": {}, "counts": {}},
            "○ missed · 2026-11-23 02:00:00 UTC · schedule",
        ),
    ],
)
def test_an_update_in_a_line(known: dict[str, Any], text: str) -> None:
    assert servers_text.update(an_update(**known)) == text


def test_when_the_next_update_is_due_and_what_it_will_want() -> None:
    due = NOW + timedelta(minutes=3)
    assert servers_text.due(Readiness(due, {}, 0), NOW) == (
        "Next update at 2026-11-23 02:03:00 UTC, in 3 min."
    )
    assert servers_text.due(Readiness(due, {"redis": "does not answer"}, 2), NOW).endswith(
        "in 3 min. 2 events waiting. Not ready: redis: does not answer."
    )


def test_how_far_the_repairs_are() -> None:
    assert servers_text.repairs(Repairs(3, 2, 1_200, 1, 0.995)) == (
        "1,201 of 1,206 repairs finished (99 %): 1,200 done, 1 failed, 2 running, 3 waiting."
    )
    assert servers_text.repairs(Repairs(0, 0, 0, 0, None)).startswith("No repairs yet")
