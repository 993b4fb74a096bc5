"""Where what runs is found."""

from pathlib import Path

import pytest

from cli import context
from settings import Settings
from supervisor.control import Processes


def test_where_nothing_runs_the_environment_says_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KOINX_ENV_FILE", "")
    monkeypatch.setenv("API_PORT", "3999")
    assert context.in_force(Processes(tmp_path)).api_port == 3999


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        (Settings(), "http://127.0.0.1:3000"),
        (Settings(api_host="::1", api_port=3001), "http://[::1]:3001"),
        (Settings(dash_api_url="http://api:3000"), "http://api:3000"),
    ],
)
def test_the_api_is_where_the_settings_say(settings: Settings, url: str) -> None:
    assert context.api(settings).api_url == url
