"""`./koinx doctor` where nothing runs; tests/e2e/test_operating.py has a system."""

import json
import time
from pathlib import Path

import pytest

from bench.harness.services import SimulatorControl, free_port
from cli.doctor import runner
from cli.doctor.finding import Finding
from cli.doctor.runner import doctor, line
from settings import NAMES, Settings
from supervisor.control import Processes


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home where nothing was started yet, with the defaults of every setting but the ports."""
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    made = tmp_path / "a-home"
    for name, value in {
        "KOINX_ENV_FILE": "",
        "KOINX_HOME": str(made),
        "API_PORT": str(free_port()),
        "DASH_PORT": str(free_port()),
        "MARKET": "demo",
    }.items():
        monkeypatch.setenv(name, value)
    return made


def found(home: Path) -> dict[str, Finding]:
    return {one.check: one for one in runner.examine(Processes(home))}


def test_where_nothing_runs_that_is_no_fault(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert doctor(Processes(home), as_json=False) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[-1] == "No problems found"
    idle = [text.split()[1] for text in told if text.startswith("idle")]
    assert idle == ["mongodb", "nats", "redis", "processes"]
    assert not home.exists(), "a look changes nothing"


def test_wrong_settings_are_told_all_at_once_beside_the_rest(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("API_PORT", "many")
    monkeypatch.setenv("CURRENCY", "USD")
    monkeypatch.setenv("COINGECKO_PLAN", "demo")
    monkeypatch.setenv("KOINX_HOME", __file__)
    assert doctor(Processes(Path(__file__)), as_json=True) == 1
    told = json.loads(capsys.readouterr().out)
    faults = [one["text"] for one in told["findings"] if one["state"] == "fault"]
    assert told["faults"] == len(faults) == 4
    assert [text.split("=")[0] for text in faults] == [
        *(
            "CURRENCY",
            "API_PORT",
            "COINGECKO_API_KEY and COINGECKO_PLAN (demo or pro) must be set together",
        ),
        "KOINX_HOME",
    ]
    assert any("were not checked" in one["text"] for one in told["findings"])


def test_a_user_s_own_servers_and_source_are_asked(
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    settings: Settings,
    simulator: SimulatorControl,
) -> None:
    for name in ("MONGODB_URI", "NATS_URL", "REDIS_URL", "COINGECKO_API_URL"):
        monkeypatch.setenv(name, settings.environment()[name])
    monkeypatch.setenv("MARKET", "live")
    seen = found(home)
    for name in ("mongodb", "nats", "redis", "source", "clock", "calls"):
        assert seen[name].state == "ok", seen[name]
    assert seen["processes"].state == "idle"
    monkeypatch.setenv("NATS_URL", f"nats://127.0.0.1:{free_port()}")
    simulator.fault("server_error", status=500)
    assert {name for name, one in found(home).items() if one.state == "fault"} == {"nats", "source"}


def test_a_check_that_hangs_or_fails_hides_no_other(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hang(*_: object) -> list[Finding]:
        time.sleep(5)
        return []

    def fail(*_: object) -> list[Finding]:
        raise LookupError("nobody thought of it")

    monkeypatch.setattr(runner, "TIMEOUT", 0.5)
    good = Finding("good", "ok", "seen")
    told = list(runner._in_parallel([hang, fail, lambda: [good]]))
    assert [one.state for one in told] == ["fault", "fault", "ok"]
    assert "took longer than" in told[0].text
    assert "LookupError: nobody thought of it" in told[1].text


def test_a_fault_has_its_cure_on_its_line() -> None:
    assert line(Finding("nats", "fault", "is stopped", "./koinx start nats")) == (
        "error  nats       is stopped → ./koinx start nats"
    )


def test_what_was_changed_since_the_start_is_noted() -> None:
    before = Settings(coins="bitcoin")
    assert runner._changes(before, before) == []
    [note] = runner._changes(Settings(coins="ethereum", market="demo"), before)
    assert (note.state, note.text.split()[0]) == ("note", "COINS")
