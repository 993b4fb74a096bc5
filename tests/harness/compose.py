"""docker-compose.yml, as docker-compose reads it."""

import os
import shutil
import subprocess
from functools import cache
from typing import Any

import pytest
import yaml

from settings import ROOT

SECRETS = {"API_KEY": "key-of-the-containers", "DASH_PASSWORD": "password-of-the-containers"}
DEMO = str(ROOT / "deploy" / "demo.env")
COPIED = str(ROOT / ".env.example")  # what a newcomer's `.env` is


def compose(
    *arguments: str, env_file: str = COPIED, **environment: str
) -> "subprocess.CompletedProcess[str]":
    """Runs docker-compose, which needs no engine to read the file; a developer's `.env` is left."""
    program = shutil.which("docker-compose")
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("docker-compose is not installed, and CI installs it")
        pytest.skip("docker-compose is not installed")
    return subprocess.run(
        [program, "--env-file", env_file, *arguments],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@cache
def services(*, env_file: str = COPIED, **environment: str) -> dict[str, dict[str, Any]]:
    """Each service, with all that is referred to filled in."""
    found = compose("config", env_file=env_file, **SECRETS | environment)
    assert found.returncode == 0, found.stderr
    # What goes to a container has one where the file has two.
    return dict(yaml.safe_load(found.stdout.replace("$$", "$"))["services"])
