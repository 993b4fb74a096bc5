"""What is told before anything is started."""

import shutil
from pathlib import Path

import pytest

from bench.harness.services import free_port
from cli.preflight import problems
from settings import Settings
from settings.disk_space import MEGABYTE
from supervisor.control import Processes
from tests.harness.disk_usage import Usage


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(koinx_home=tmp_path, api_port=free_port(), dash_port=free_port())


def found(settings: Settings) -> list[str]:
    return problems(settings, Processes(settings.koinx_home))


def test_a_good_machine_gives_no_complaint(settings: Settings) -> None:
    assert found(settings) == []


@pytest.mark.parametrize(("free", "data", "needed"), [(549, False, 550), (199, True, 200)])
def test_a_full_disk_is_said_with_its_numbers(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, free: int, data: bool, needed: int
) -> None:
    if data:
        (settings.koinx_home / "data" / "mongodb" / "journal").mkdir(parents=True)
    usage = Usage(10_000 * MEGABYTE, 0, free * MEGABYTE)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    [line] = found(settings)
    assert f"KOINX_HOME={settings.koinx_home}" in line
    assert f"{free} MB free, a start needs {needed}" in line


def test_one_port_for_both_is_refused(settings: Settings) -> None:
    both = settings.model_copy(update={"dash_port": settings.api_port})
    assert found(both) == [
        f"API_PORT and DASH_PORT are both {settings.api_port}: set one to another port"
    ]


def test_a_home_that_is_a_file_is_said(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    [line] = found(settings.model_copy(update={"koinx_home": file}))
    assert f"KOINX_HOME={file} cannot be written" in line
