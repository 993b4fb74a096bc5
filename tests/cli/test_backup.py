"""Backup, wipe and restore by the command line, on a running system."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from bench.harness.services import wait_until
from bench.harness.system import System, running
from settings import ROOT

pytestmark = pytest.mark.system

COINS = {"COINS": "bitcoin,ethereum,top:5", "API_WORKERS": "1"}
PATHS = (
    "/stats?coin=bitcoin",
    "/deviation?coin=bitcoin",
    "/deviation?coin=bitcoin&include=repaired",
    "/v1/coins/ethereum/quotes?limit=500&include=repaired",
    "/v1/coins/bitcoin/candles?interval=1h&include=repaired",
    "/v1/updates?page_size=50",
    "/v1/repairs",
)


def answers(system: System) -> dict[str, object]:
    return {path: system.get(path).json() for path in PATHS}


def stop(system: System, *names: str) -> None:
    for name in names:
        assert system.koinx("stop", name).returncode == 0


def mended(system: System) -> bool:
    progress = system.get("/v1/repairs/progress").json()
    return bool(progress["done"]) and not progress["waiting"] + progress["running"]


@pytest.mark.row("all-lost")
def test_after_a_wipe_all_answers_are_the_same(tmp_path: Path) -> None:
    file = tmp_path / "koinx.zip"
    with running(tmp_path / "home", "--demo", **COINS) as system:
        wait_until(lambda: mended(system), "the history", 60)
        stop(system, "worker", "beat")
        before = answers(system)

        made = system.koinx("backup", str(file))
        assert made.returncode == 0, made.stderr
        assert f"koinx_demo_usd is in {file}" in made.stdout
        again = system.koinx("backup", str(file))
        assert (again.returncode, again.stderr) == (
            1,
            f"{file} already exists: choose another name\n",
        )

        refused = system.koinx("restore", str(file))
        assert refused.returncode == 1
        assert "api would write to the database meanwhile: ./koinx stop api" in refused.stderr
        stop(system, "api")
        refused = system.koinx("restore", str(file))
        assert refused.returncode == 1
        assert "nothing was changed" in refused.stderr

        assert system.koinx("down").returncode == 0
        missing = system.koinx("backup", str(tmp_path / "other.zip"))
        assert (missing.returncode, missing.stderr) == (
            1,
            "MongoDB is not running: ./koinx start mongodb\n",
        )
        shutil.rmtree(tmp_path / "home" / "data" / "mongodb")
        assert system.koinx("up", "--demo", "--detach").returncode == 0
        stop(system, "worker", "beat", "api")
        restored = system.koinx("restore", str(file), "--replace")
        assert restored.returncode == 0, restored.stderr
        assert "koinx_demo_usd is as koinx_demo_usd was at" in restored.stdout
        assert system.koinx("start", "api").returncode == 0
        assert answers(system) == before


def test_the_guide_s_commands(tmp_path: Path) -> None:
    guide = (ROOT / "docs" / "backups.md").read_text()
    commands = "".join(re.findall(r"```sh\n(.*?)```", guide, re.DOTALL))
    file = tmp_path / "koinx.zip"
    with running(tmp_path / "home", "--demo", **COINS) as system:
        wait_until(lambda: system.get("/stats?coin=bitcoin").ok, "quotes")
        done = subprocess.run(
            ["bash", "-ec", commands.replace("koinx.zip", str(file))],
            cwd=ROOT,
            env=system.bare,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert system.get("/stats?coin=bitcoin").ok
