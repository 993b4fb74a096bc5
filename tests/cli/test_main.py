"""The command line, as a user calls it."""

import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import psutil
import pytest
import requests

from bench.harness.services import cpu_of_children, free_port
from cli.output import table
from settings import NAMES, ROOT
from supervisor.control import Detail
from tests.harness.supervised import in_home

pytestmark = pytest.mark.system

KOINX = [sys.executable, "-m", "cli.main"]


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A home of its own; whatever was started in it is ended with the test."""
    home = tmp_path / "home"
    kept = {name: value for name, value in os.environ.items() if name not in NAMES}
    yield kept | {
        "KOINX_ENV_FILE": "",
        "KOINX_HOME": str(home),
        "API_PORT": str(free_port()),
        "DASH_PORT": str(free_port()),
    }
    # The supervisor first: it would start the others again.
    for left in sorted(in_home(home), key=lambda p: "supervisor.supervisor" not in p.cmdline()):
        with suppress(psutil.Error):
            left.kill()


def koinx(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*KOINX, *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


def on_a_terminal(environment: dict[str, str], *arguments: str) -> str:
    """What a command shows there."""
    master, slave = pty.openpty()
    with os.fdopen(master, "rb") as shown, ThreadPoolExecutor(1) as threads:
        try:
            with subprocess.Popen(
                [*KOINX, *arguments],
                cwd=ROOT,
                env=environment | {"TERM": "dumb"},
                stdout=slave,
                stderr=slave,
            ) as command:
                os.close(slave)
                output = threads.submit(_all_of, shown)
                assert command.wait(90) == 0
        finally:
            command.kill()
        return output.result(10).decode().replace("\r\n", "\n")


def _all_of(shown: BinaryIO) -> bytes:
    read = b""
    with suppress(OSError):  # that is how a terminal ends
        while part := shown.read1(65536):  # type: ignore[attr-defined]
            read += part
    return read


def link_in(environment: dict[str, str], output: str) -> str:
    """The dashboard's link as a command printed it."""
    address = re.escape(f"http://127.0.0.1:{environment['DASH_PORT']}")
    found = re.search(rf"^dashboard  ({address}/\?token=\S+)  \(works once", output, re.MULTILINE)
    assert found, output
    return found[1]


def test_the_version_is_that_of_pyproject(environment: dict[str, str]) -> None:
    [version] = re.findall(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.M)
    shown = koinx(environment, "--version")
    assert (shown.returncode, shown.stdout) == (0, f"KoinX {version}\n")
    assert version == "0.2.0"
    assert f"\n## {version}" in (ROOT / "CHANGELOG.md").read_text()


def test_where_nothing_runs(environment: dict[str, str]) -> None:
    assert koinx(environment, "status").stdout == "nothing was started yet\n"
    assert json.loads(koinx(environment, "status", "--json").stdout) == {"processes": []}
    for arguments, said in (
        (["down"], "nothing is running\n"),
        (["stop", "api"], "api is not running\n"),
        (["logs"], ""),
    ):
        result = koinx(environment, *arguments)
        assert (result.returncode, result.stdout, result.stderr) == (0, said, "")


def test_status_is_quick(environment: dict[str, str]) -> None:
    before, begun = cpu_of_children(), time.monotonic()
    koinx(environment, "status")
    assert cpu_of_children() - before < 1
    assert time.monotonic() - begun < 5  # it waits for nothing


def test_every_wrong_setting_is_told_at_once(environment: dict[str, str]) -> None:
    result = koinx(environment | {"API_PORT": "many", "CURRENCY": "USD"}, "up", "--detach")
    assert result.returncode == 2
    assert [line.split("=")[0] for line in result.stderr.splitlines()] == ["CURRENCY", "API_PORT"]


def test_a_busy_port_is_told_with_its_holder(environment: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", int(environment["API_PORT"]))):
        result = koinx(environment, "up", "--demo", "--detach")
    name = psutil.Process().name()
    assert result.returncode == 1
    assert result.stderr == (
        f"API_PORT={environment['API_PORT']} is in use by {name} (pid {os.getpid()}): "
        "set API_PORT to a free port, or stop that process\n"
    )


def test_two_settings_may_not_name_one_port(environment: dict[str, str]) -> None:
    result = koinx(environment | {"DASH_PORT": environment["API_PORT"]}, "up", "--detach")
    assert (result.returncode, result.stderr.count("\n")) == (1, 1)
    assert "API_PORT and DASH_PORT are both" in result.stderr


def test_a_home_that_cannot_be_written_is_told(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = koinx(environment | {"KOINX_HOME": str(tmp_path / "file")}, "up", "--detach")
    assert (result.returncode, result.stderr.count("\n")) == (1, 1)
    assert f"KOINX_HOME={tmp_path / 'file'} cannot be written" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["start", "nobody"], "invalid choice: 'nobody'"), (["fly"], "invalid choice: 'fly'")],
)
def test_what_there_is_not(environment: dict[str, str], arguments: list[str], said: str) -> None:
    result = koinx(environment, *arguments)
    assert result.returncode == 2
    assert said in result.stderr


def test_who_has_read_enough_sees_no_error(environment: dict[str, str]) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as closed:
        ran = subprocess.run(
            [*KOINX, "status"],
            cwd=ROOT,
            env=environment,
            stdout=closed,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert (ran.returncode, ran.stderr) == (1, b"")


def test_the_market_is_only_for_the_demo(environment: dict[str, str]) -> None:
    result = koinx(environment, "start", "market")
    assert result.returncode == 1
    assert (
        "KoinX does not run market, so it cannot start it: it runs only with --demo"
        in result.stderr
    )


def test_pytest_gets_its_arguments(environment: dict[str, str]) -> None:
    asked = koinx(environment | {"KOINX_ENV_FILE": "/nowhere"}, "test", "--version", "-q")
    assert asked.returncode == 0
    assert asked.stdout.startswith("pytest") or asked.stderr.startswith("pytest")


def test_the_table_has_a_line_for_each() -> None:
    api = Detail(
        name="api",
        state="running",
        ready=True,
        pid=12,
        url="http://127.0.0.1:3000",
        uptime_s=3725.0,
        restarts=2,
        cpu_percent=1.25,
        rss_bytes=10 * 2**20,
        exit_code=None,
        fingerprint=None,
    )
    heading, line = table([api])
    assert heading.split()[:3] == ["NAME", "STATE", "READY"]
    words = " ".join(line.split())
    assert words == "api running yes 12 1 h 2 min 2 1.2 % 10 MB http://127.0.0.1:3000"


def test_the_demo_comes_up_and_goes_down_again(environment: dict[str, str]) -> None:
    home = Path(environment["KOINX_HOME"])
    shown = on_a_terminal(environment, "up", "--demo", "--detach")
    links = [link_in(environment, shown)]
    assert f"http://127.0.0.1:{environment['API_PORT']}/docs" in shown
    assert "quotes stored" in shown
    before = json.loads(koinx(environment, "status", "--json").stdout)["processes"]
    assert [p["name"] for p in before] == (
        ["mongodb", "nats", "redis", "market", "api", "worker", "beat", "dashboard"]
    )
    assert all(p["ready"] and p["state"] == "running" for p in before), before
    # The ports are in use by KoinX itself: a second `up` accepts that.
    again = koinx(environment, "up", "--demo", "--detach")
    assert again.returncode == 0, again.stdout + again.stderr
    # Whatever is no terminal may be kept, and read by others.
    said = again.stdout + koinx(environment, "status").stdout
    assert "token=" not in said
    plain = f"dashboard  http://127.0.0.1:{environment['DASH_PORT']}  (to sign in: "
    assert said.count(plain) == 2
    after = json.loads(koinx(environment, "status", "--json").stdout)["processes"]
    assert [p["pid"] for p in after] == [p["pid"] for p in before]
    links += [
        link_in(environment, on_a_terminal(environment, *arguments))
        for arguments in (["status"], ["restart", "dashboard"])
    ]
    for link in links:
        for status in (200, 401):
            with requests.get(link, timeout=10) as answer:
                assert answer.status_code == status
                assert "token" not in answer.url or status == 401
    assert len(set(links)) == 3
    written = "".join(path.read_text() for path in (home / "logs").iterdir())
    assert not any(link.partition("token=")[2] in written for link in links)
    assert "token=" not in koinx(environment, "status", "--json").stdout
    assert "koinx" not in koinx(environment, "logs", "redis").stderr
    assert koinx(environment, "down").returncode == 0
    assert in_home(home) == []


def test_the_foreground_ends_everything_with_itself(environment: dict[str, str]) -> None:
    home = Path(environment["KOINX_HOME"])
    with subprocess.Popen(
        [*KOINX, "up", "--demo"], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    ) as command:
        try:
            assert command.stdout
            for line in command.stdout:
                if "quotes stored" in line:
                    break
            command.send_signal(signal.SIGINT)
            rest = command.stdout.read()
            assert command.wait(60) == 0
        finally:
            command.kill()
    assert "all stopped" in rest
    assert in_home(home) == []
