"""Every command of the README, CONTRIBUTING.md and some guides, run as it stands there."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from bench.harness.services import free_port, server, wait_until
from bench.harness.system import System
from settings import ROOT
from supervisor.embedded.servers import EMBEDDED

pytestmark = pytest.mark.system


def blocks(name: str, after: str = "") -> list[list[str]]:
    """The commands of a text, block by block; `after` is the heading from which on they count."""
    text = (ROOT / name).read_text(encoding="utf-8")
    found = re.findall(r"^ *```sh\n(.*?)```", text[text.index(after) :], re.DOTALL | re.MULTILINE)
    return [[line.strip() for line in block.strip().splitlines()] for block in found]


COMMANDS = [
    command
    for name in ("README.md", "CONTRIBUTING.md", "docs/commands.md", "docs/history.md")
    for block in blocks(name)
    for command in block
]
FOREGROUND = ["./koinx up --demo", "./koinx up"]
# They run this very test, so they are not run in it; what CI checks is not checked twice.
TESTS = [
    command
    for command in COMMANDS
    if command.startswith(("./koinx test", ".ci/", ".venv/bin/ruff", ".venv/bin/mypy"))
    or command == ".venv/bin/lint-imports"
]
PLAIN = [c for block in blocks("docs/deploying.md", "\n## Without `./koinx`\n") for c in block]
ON_A_SYSTEM = list(dict.fromkeys(c for c in COMMANDS if c not in [*FOREGROUND, *TESTS]))


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    made = System(tmp_path_factory.mktemp("readme"), COINS="bitcoin,top:20")
    yield made
    made.koinx("down")


def with_ports(command: str, system: System) -> str:
    return command.replace("http://127.0.0.1:3000", system.api)


@pytest.mark.parametrize("command", ON_A_SYSTEM)
def test_a_command_works_while_the_system_runs(system: System, command: str) -> None:
    up = system.koinx("up", "--demo", "--detach")
    assert up.returncode == 0, up.stdout + up.stderr
    ran = subprocess.run(
        ["bash", "-ec", with_ports(command, system)],
        cwd=ROOT,
        env=system.environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert '"error"' not in ran.stdout.replace('"error":null', "")


@pytest.mark.parametrize("command", FOREGROUND)
def test_up_in_the_foreground_shows_all_output_and_ends_with_ctrl_c(
    system: System, command: str, tmp_path: Path
) -> None:
    system.koinx("down")
    output = tmp_path / "output"
    # Without `--demo` it asks CoinGecko; here nothing answers in its place.
    is_live = "--demo" not in command
    source = {"COINGECKO_API_URL": f"http://127.0.0.1:{free_port()}"} if is_live else {}
    with (
        output.open("wb") as file,
        subprocess.Popen(
            command.split(), cwd=ROOT, env=system.environment | source, stdout=file, stderr=file
        ) as process,
    ):
        try:
            # Live, the first update may still be on its way after 10 s; it cannot end well.
            told = "no update yet|first update failed" if is_live else "first update"
            wait_until(lambda: re.search(told, output.read_text()), "all to be ready", 60)
            assert f"dashboard  {system.dash}  (to sign in" in output.read_text()
            if not is_live:
                requests.post(f"{system.api}/trigger-update", timeout=30).raise_for_status()
                after = re.compile("first update.*worker", re.DOTALL)
                wait_until(lambda: after.search(output.read_text()), "a log line", 30)
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 0
        finally:
            process.kill()
    assert not system.processes()


@pytest.mark.parametrize("command", TESTS)
def test_the_commands_that_run_the_tests_are_there(command: str) -> None:
    assert os.access(ROOT / command.split(maxsplit=1)[0], os.X_OK)


def test_the_plain_way(tmp_path: Path) -> None:
    """Own servers in `.env`, then one command for each process, in a copy of the project."""
    project = tmp_path / "project"
    files = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    for file in files:
        if (ROOT / file).is_file():
            (project / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / file, project / file)
    environment = System(tmp_path / "unused").bare
    del environment["KOINX_HOME"], environment["KOINX_ENV_FILE"]
    port, dash, log = free_port(), free_port(), tmp_path / "log"
    ports = {"--port 3000": f"--port {port}", "--port 8050": f"--port {dash}"}
    with contextlib.ExitStack() as stack:
        addresses = {
            setting.upper(): stack.enter_context(server(name, tmp_path / name))[0]
            for name, setting in EMBEDDED.items()
        }
        # No source is needed to see that the processes start and work together.
        values = addresses | {"COINGECKO_API_URL": f"http://127.0.0.1:{free_port()}"}
        (project / ".env").write_text("".join(f"{n}={v}\n" for n, v in values.items()))
        for command in PLAIN:
            for documented, free in ports.items():
                command = command.replace(documented, free)  # noqa: PLW2901
            once = command.startswith(("python3", ".venv/bin/pip", ".venv/bin/python"))
            output = stack.enter_context(log.open("ab"))
            process = subprocess.Popen(
                ["bash", "-ec", f"exec {command}"],
                cwd=project,
                env=environment,
                stdout=output,
                stderr=output,
            )
            stack.callback(_end, process)
            if once:
                assert process.wait(180) == 0, log.read_text()[-2000:]

        def failed_for_want_of_a_source() -> bool:
            with contextlib.suppress(requests.ConnectionError):
                found = requests.get(f"http://127.0.0.1:{port}/v1/updates", timeout=5).json()
                return bool(found) and found[-1]["state"] == "failed"
            return False

        wait_until(failed_for_want_of_a_source, "the first update to fail", 60)
        link = re.findall(r"^http://127.0.0.1:8050(/\?token=\S+)$", log.read_text(), re.MULTILINE)
        assert len(link) == 1, log.read_text()[-2000:]

        def opened() -> bool:
            with contextlib.suppress(requests.ConnectionError):
                return requests.get(f"http://127.0.0.1:{dash}{link[0]}", timeout=10).ok
            return False

        wait_until(opened, "the dashboard to open", 60)


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(40)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
