"""`./koinx selftest` where there is no system; tests/e2e/test_operating.py has one."""

import json
import time
from pathlib import Path

import pytest
from pydantic import SecretStr

from bench.harness.services import free_port
from cli import context
from cli.selftest import Broken, Way
from settings import Settings
from supervisor.control import Processes


def way(home: Path, redis: str) -> Way:
    settings = Settings(koinx_home=home, redis_url=SecretStr(redis))
    return Way(Processes(home), settings, context.api(settings))


def test_where_nothing_runs_it_says_what_to_do(tmp_path: Path) -> None:
    settings = Settings(koinx_home=tmp_path)
    with pytest.raises(SystemExit, match="no embedded server runs"):
        Way(Processes(tmp_path), settings, context.api(settings))


def test_beat_is_known_by_its_sign_of_life(tmp_path: Path, redis: str) -> None:
    sign = tmp_path / "run" / "beat.json"
    sign.parent.mkdir()
    steps = way(tmp_path, redis).steps()
    assert next(steps).hop == "queue"
    assert "runs elsewhere" in next(steps).text, "a beat of another host"
    for age, lives in ((1, True), (60, False)):
        sign.write_text(json.dumps({"pid": 1, "at": time.time() - age}))
        steps = way(tmp_path, redis).steps()
        next(steps)
        if lives:
            assert next(steps).hop == "scheduled"
            continue
        with pytest.raises(Broken, match="left its last sign of life 6"):
            next(steps)


def test_a_password_is_not_told(tmp_path: Path) -> None:
    steps = way(tmp_path, f"redis://:secret@127.0.0.1:{free_port()}/0").steps()
    with pytest.raises(Broken) as broken:
        next(steps)
    assert broken.value.part == "redis"
    assert "secret" not in str(vars(broken.value))
