"""deploy/systemd/koinx.service: its form, and what systemd does with it, done by hand."""

import configparser
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from bench.harness.services import wait_until
from bench.harness.system import System
from settings import ROOT

pytestmark = pytest.mark.system

UNIT = ROOT / "deploy" / "systemd" / "koinx.service"
PLACE = "/opt/koinx"
TEXT = UNIT.read_text().replace(PLACE, str(ROOT))


def service() -> configparser.SectionProxy:
    """What the unit says of the service."""
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read_string(TEXT)
    return unit["Service"]


def test_systemd_finds_nothing_wrong_with_it(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("systemd-analyze is not installed, and CI installs it")
        pytest.skip("systemd-analyze is not installed")
    unit = tmp_path / UNIT.name
    unit.write_text(TEXT)
    command = [program, "verify", "--man=no", str(unit)]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (found.returncode, found.stderr) == (0, "")


def test_what_it_writes_to_is_the_home_that_it_names() -> None:
    given = dict(word.split("=", 1) for word in service()["Environment"].split())
    assert given["KOINX_HOME"] == f"/var/lib/{service()['StateDirectory']}"
    assert service()["ReadWritePaths"] == given["KOINX_HOME"]


def test_sigterm_to_the_command_alone_ends_all_in_order(tmp_path: Path) -> None:
    assert service()["KillMode"] == "mixed"
    system = System(tmp_path / "home", MARKET="demo", COINS="bitcoin,top:20")
    output = tmp_path / "output"
    with (
        output.open("wb") as file,
        subprocess.Popen(
            service()["ExecStart"].split(),
            cwd=service()["WorkingDirectory"],
            env=system.environment,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        ) as process,
    ):
        try:
            wait_until(lambda: "first update: 20 quotes" in output.read_text(), "an update", 90)
            process.terminate()
            assert process.wait(float(service()["TimeoutStopSec"])) == 0
            assert "all stopped after" in output.read_text()
            assert not system.processes()
            state = json.loads((system.home / "run" / "state.json").read_text())
        finally:
            process.kill()
            system.koinx("down")
    ended = {one["name"]: one["exit_code"] for one in state["processes"]}
    assert ended == dict.fromkeys(ended, 0)
    # Each found its servers there until it had ended.
    for name in ("worker", "api", "beat"):
        assert "Connection refused" not in (system.home / "logs" / f"{name}.log").read_text()
