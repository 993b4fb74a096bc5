"""Links that open the dashboard."""

import multiprocessing
import stat
import subprocess
import sys
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from bench.harness.system import System
from dash_ui.auth.login_link import LINK_LIFETIME, create_link, redeem
from settings import ROOT
from supervisor.state_dir import StateDir

pytestmark = pytest.mark.system

URL = "http://127.0.0.1:8050"
OVER = timedelta(seconds=-1)


@pytest.fixture
def folder(tmp_path: Path) -> StateDir:
    made = StateDir(tmp_path / "home")
    made.create()
    return made


def token_of(made: str) -> str:
    assert made.startswith(f"{URL}/?token=")
    return made.partition("token=")[2]


def used_at_once(home: Path, token: str, threads: int) -> int:
    """How many of so many threads are told that the token is good."""
    gate = threading.Barrier(threads)

    def use(_number: int) -> bool:
        gate.wait(30)
        return redeem(StateDir(home), token)

    with ThreadPoolExecutor(threads) as pool:
        return sum(pool.map(use, range(threads)))


@pytest.mark.row("local-stranger")
def test_a_link_is_good_once(folder: StateDir) -> None:
    token = token_of(create_link(URL, folder, LINK_LIFETIME))
    other = token_of(create_link(URL, folder, LINK_LIFETIME))
    assert len(token) >= 43
    assert redeem(folder, token)
    assert not redeem(folder, token)
    assert redeem(folder, other)


def test_one_whose_time_is_over_is_not_good_and_is_cleared_away(folder: StateDir) -> None:
    assert not redeem(folder, token_of(create_link(URL, folder, OVER)))
    create_link(URL, folder, OVER)
    good = token_of(create_link(URL, folder, LINK_LIFETIME))
    assert len(list(folder.run.glob("link-*"))) == 1
    assert redeem(folder, good)


@pytest.mark.parametrize("token", ["", "*", "wrong", "../api_key", "ö\0", "x" * 5000])
def test_what_is_no_token_is_not_good(folder: StateDir, token: str) -> None:
    good = token_of(create_link(URL, folder, LINK_LIFETIME))
    assert not redeem(folder, token)
    assert redeem(folder, good)


def test_of_many_threads_in_several_processes_one_is_told_that_it_is_good(folder: StateDir) -> None:
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=spawn) as pool:
        for _ in range(20):
            token = token_of(create_link(URL, folder, LINK_LIFETIME))
            told = [pool.submit(used_at_once, folder.home, token, 8) for _ in range(2)]
            assert sum(one.result(60) for one in told) == 1


def test_the_token_is_kept_nowhere_and_its_file_is_its_owners_alone(folder: StateDir) -> None:
    token = token_of(create_link(URL, folder, LINK_LIFETIME))
    [file] = folder.run.iterdir()
    assert token not in file.name
    assert file.read_bytes() == b""
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_where_none_can_be_left_it_is_said(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="link-"):
        create_link(URL, StateDir(tmp_path / "nowhere"), LINK_LIFETIME)


def test_the_command_prints_one(tmp_path: Path) -> None:
    system = System(tmp_path / "home")

    def printed() -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "dash_ui.auth.login_link"],
            cwd=ROOT,
            env=system.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    made = printed().stdout.strip()
    assert made.startswith(f"{system.dash}/?token=")
    assert redeem(StateDir(system.home), made.partition("token=")[2])
    (tmp_path / "file").touch()
    system.environment["KOINX_HOME"] = str(tmp_path / "file")
    refused = printed()
    assert (refused.returncode, refused.stdout) == (1, "")
    assert f"KOINX_HOME={tmp_path / 'file'} cannot be written" in refused.stderr
