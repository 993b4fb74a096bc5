"""The containers' commands and health checks as they stand in the files, run on this machine."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from bench.harness.services import free_port, wait_until
from settings import ROOT
from tests.harness.compose import DEMO, SECRETS, services

pytestmark = pytest.mark.system

DOCKERFILE = (ROOT / "Dockerfile").read_text()
PORTS = {"api": "3000", "dashboard": "8050", "market": "8899"}
STARTED = ("market", "api", "worker", "beat", "dashboard")
GRACE = "10s"  # what Docker gives, where nothing is said


def image_commands() -> list[str]:
    """The Dockerfile's CMD."""
    (said,) = re.findall(r"^CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)
    return list(json.loads(said))


def image_environment() -> dict[str, str]:
    """The Dockerfile's ENV, with this environment's programs in the place of the image's."""
    (said,) = re.findall(r"^ENV (.*)$", DOCKERFILE, re.MULTILINE)
    values = dict(word.split("=", 1) for word in said.split())
    assert values["PATH"] == "/venv/bin:$PATH"
    return values | {"PATH": f"{Path(sys.executable).parent}:{os.defpath}"}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the image holds, and no more."""
    folder = tmp_path_factory.mktemp("image")
    (folder / "var").mkdir()
    final = DOCKERFILE.rpartition("\nFROM ")[2]
    for sources, target in re.findall(r"^COPY (?!--)(.+) (\S+)$", final, re.MULTILINE):
        for source in sources.split():
            if (ROOT / source).is_dir():
                shutil.copytree(
                    ROOT / source, folder / target, ignore=shutil.ignore_patterns("__pycache__")
                )
            else:
                shutil.copy(ROOT / source, folder / target)
    return folder


class Containers:
    """The services of a demo, as processes that find each other and real servers on loopback."""

    def __init__(self, files: Path, home: Path, **servers: str) -> None:
        self.ports = {name: str(free_port()) for name in PORTS}
        self._files, self._home = files, home
        home.mkdir()
        self._services = services(env_file=DEMO, COINS="bitcoin,top:20", **servers)

    def _here(self, text: str) -> str:
        """The ports and names of the network, as they are on this machine."""
        for name, port in PORTS.items():
            text = re.sub(rf"//({name}|127\.0\.0\.1):{port}\b", self.url(name)[5:], text)
            text = re.sub(rf"^{port}$", self.ports[name], text)
        return text

    def url(self, name: str) -> str:
        """Where a service answers."""
        return f"http://127.0.0.1:{self.ports[name]}"

    def _popen(self, name: str, command: list[str]) -> "subprocess.Popen[bytes]":
        given = self._services[name].get("environment", {})
        environment = {
            **image_environment(),
            **{"HOSTNAME": socket.gethostname(), "HOME": str(self._home)},
            **{key: self._here(value) for key, value in given.items()},
        }
        with (self._home / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                [self._here(word) for word in command],
                cwd=self._files,
                env=environment,
                stdout=log,
                stderr=log,
            )

    @contextmanager
    def running(self, name: str) -> Iterator["subprocess.Popen[bytes]"]:
        """A service by its command."""
        command = self._services[name].get("command") or image_commands()
        with self._popen(name, command) as process:
            try:
                yield process
            finally:
                process.kill()

    def run(self, name: str, command: list[str]) -> int:
        """The exit code of another command with a service's settings: `docker compose run`."""
        with self._popen(name, command) as process:
            return process.wait(60)

    def healthy(self, name: str) -> bool:
        """What its health check says."""
        kind, *command = self._services[name]["healthcheck"]["test"]
        if kind == "CMD-SHELL":
            command = ["/bin/sh", "-c", *command]
        with self._popen(name, command) as check:
            return check.wait(60) == 0

    def grace(self, name: str) -> float:
        """Seconds from SIGTERM to SIGKILL."""
        return float(self._services[name].get("stop_grace_period", GRACE).removesuffix("s"))

    def log(self, name: str) -> str:
        """What a service wrote."""
        return (self._home / f"{name}.log").read_text()


@pytest.fixture
def containers(
    files: Path, tmp_path: Path, database: Any, mongodb: str, nats: str, redis: str
) -> Containers:
    database.client.drop_database(database.name)
    return Containers(
        files, tmp_path / "containers", MONGODB_URI=mongodb, NATS_URL=nats, REDIS_URL=redis
    )


def test_each_starts_is_healthy_works_and_ends_in_time(
    containers: Containers, tmp_path: Path
) -> None:
    def prepared() -> bool:
        # As `restart: on-failure` has it: a machine at work may not answer at once.
        with containers.running("prepare") as prepare:
            return prepare.wait(60) == 0

    wait_until(prepared, "prepare to end well", 60)
    with ExitStack() as stack:
        for name in STARTED:
            assert not containers.healthy(name), f"{name} is healthy, and does not run"
        processes = {name: stack.enter_context(containers.running(name)) for name in STARTED}

        for name, process in processes.items():

            def well(name: str = name, process: Any = process) -> bool:
                assert process.poll() is None, containers.log(name)
                return containers.healthy(name)

            wait_until(well, f"{name} to be healthy", 60)

        api, key = containers.url("api"), {"X-API-Key": SECRETS["API_KEY"]}
        assert requests.post(f"{api}/trigger-update", headers=key, timeout=10).ok
        wait_until(lambda: requests.get(f"{api}/stats?coin=bitcoin", timeout=10).ok, "quotes", 60)
        page = containers.url("dashboard")
        assert requests.get(page, timeout=10).status_code == 401
        who = ("any", SECRETS["DASH_PASSWORD"])
        assert requests.get(page, auth=who, timeout=10).status_code == 200

        back_up, restore = _guide()
        assert containers.run("prepare", _in(tmp_path, back_up)) == 0, containers.log("prepare")

        # In the order in which compose ends them: first who needs others.
        for name in reversed(STARTED):
            processes[name].terminate()
            assert processes[name].wait(containers.grace(name)) == 0, containers.log(name)
            if name != "beat":  # its sign of life is good for 30 s
                assert not containers.healthy(name), f"{name} is healthy, and was ended"

    # The guide has it done while nothing writes.
    assert containers.run("prepare", _in(tmp_path, restore)) == 0, containers.log("prepare")


def _guide() -> list[str]:
    """The commands that the guide runs in a container of their own: back up, then restore."""
    guide = (ROOT / "docs" / "deploying.md").read_text()
    found = re.findall(r'docker compose run .*"\$PWD/backups:/backups" prepare (.*)', guide)
    assert [words.split()[2] for words in found] == ["cli.backup", "cli.restore"]
    return found


def _in(folder: Path, words: str) -> list[str]:
    return words.replace("/backups/", f"{folder}/").split()
