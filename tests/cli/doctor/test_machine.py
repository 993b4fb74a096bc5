"""Ports, the home and its disks, as the doctor sees them."""

import os
import shutil
import socket
from pathlib import Path

import pytest

from bench.harness.services import free_port
from cli.doctor import machine
from settings import Settings
from settings.disk_space import MEGABYTE
from supervisor.state_dir import StateDir
from tests.harness.disk_usage import Usage


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(koinx_home=tmp_path, api_port=free_port(), dash_port=free_port())


def test_a_port_is_free_or_its_holder_is_named(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", settings.api_port)):
        api, dash = machine.addresses(settings, [])
    assert api.state == "fault"
    assert f"API_PORT={settings.api_port} is in use by" in api.text
    assert f"(pid {os.getpid()})" in api.text
    assert api.cure == "set API_PORT to a free port, or stop that process"
    assert (dash.state, dash.text) == ("ok", f"DASH_PORT={settings.dash_port} is free")


def test_one_port_for_both_is_a_fault(settings: Settings) -> None:
    both = settings.model_copy(update={"dash_port": settings.api_port})
    assert {one.state for one in machine.addresses(both, [])} == {"fault"}


def test_a_home_that_is_not_there_yet_is_not_made(settings: Settings, tmp_path: Path) -> None:
    folder = StateDir(tmp_path / "not" / "yet")
    assert {one.state for one in machine.home(settings, folder, runs=False)} == {"ok"}
    assert not (tmp_path / "not").exists()


def test_a_home_that_is_a_file_is_a_fault(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    [found] = machine.home(settings, StateDir(tmp_path / "file"), runs=False)
    assert found.text == f"KOINX_HOME={tmp_path / 'file'} cannot be written"


@pytest.mark.parametrize(
    ("runs", "free", "said"),
    [
        (False, 549, "549 MB free, a start needs 550"),
        (True, 549, None),
        (True, 199, "199 MB free, 200 MB are needed"),
    ],
)
def test_a_disk_without_room_is_a_fault(
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    runs: bool,
    free: int,
    said: str | None,
) -> None:
    usage = Usage(10_000 * MEGABYTE, 0, free * MEGABYTE)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    *_, disk = machine.home(settings, StateDir(tmp_path), runs=runs)
    assert disk.check == "disk"
    assert disk.state == ("fault" if said else "ok")
    assert said is None or (said in disk.text and "make room there" in str(disk.cure))
