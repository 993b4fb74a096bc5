"""A whole system as its operator sees it: the guides' commands, then part after part is stopped."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from bench.harness.services import wait_until
from bench.harness.system import System, running
from cli import context, selftest
from cli.doctor.runner import examine
from settings import ROOT
from supervisor.control import Processes

WAY = (
    *("queue", "scheduled", "worker", "published", "received"),
    *("started", "fetched", "stored", "readable"),
)
# Each breaks the way before the hop at which the one above it did, so nothing is started again.
BREAKS = [
    ("market", "fetched", "source", "could not be reached: Connection refused"),
    ("mongodb", "received", "mongodb", "does not answer"),
    ("api", "received", "api", "does not answer"),
    ("nats", "published", "nats", "does not answer"),
    ("worker", "worker", "worker", "is stopped"),
    ("beat", "scheduled", "beat", "is stopped"),
    ("redis", "queue", "redis", "does not answer (ConnectionError)"),
]


def blocks(name: str) -> list[str]:
    """The commands of a guide, block by block: those of one belong together."""
    return re.findall(r"```sh\n(.*?)```", (ROOT / "docs" / name).read_text(), re.DOTALL)


EVENTS = ".venv/bin/celery -A tasks events --dump\n"  # tests/e2e/test_update_flow.py: it never ends
FLOWER = ".venv/bin/pip install flower"  # would change what is installed
OF_CELERY = [one for one in blocks("celery.md") if one != EVENTS and not one.startswith(FLOWER)]
SAID = {
    "tasks status": "1 node online",
    "inspect reserved": "OK",
    "inspect registered": "* tasks.ingest.ingest",
    "inspect stats": '"max-concurrency": 3',
    "control --list": "pause_repairs",
    "inspect --list": "open_updates",
    "inspect open_updates": "1 node online",
    "tasks result": "call-",
    "control drain": "takes no new updates",
    "control pause_repairs": '"paused_since":"20',
    "control resume_repairs": "repairs go on",
    "pool_grow": "pool will grow",
    "purge": "purged from 1 queue",
}


# Runs blocks of Celery's commands beside each other, each command in a process forked for it: a
# celery of its own would take a second of the processor's time to start.
FORKING = """
import json, os, shlex, sys
import tasks
from celery.bin.celery import main

def run(number, command):
    child = os.fork()
    if child == 0:
        output = os.open(f"{sys.argv[1]}/{number}", os.O_WRONLY | os.O_CREAT)
        os.dup2(output, 1)
        os.dup2(output, 2)
        sys.argv = shlex.split(command)
        main()
    _, status = os.waitpid(child, 0)
    with open(f"{sys.argv[1]}/{number}.code", "w") as file:
        file.write(str(os.waitstatus_to_exitcode(status)))

blocks = json.load(sys.stdin)
for block in blocks:
    if os.fork() == 0:
        for number, command in block:
            run(number, command)
        os._exit(0)
for _ in blocks:
    os.wait()
"""


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with running(tmp_path_factory.mktemp("operating"), "--demo", COINS="bitcoin,top:5") as made:
        yield made


def run(system: System, block: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["bash", "-ec", block.replace("http://127.0.0.1:3000", system.api)],
        cwd=ROOT,
        env=system.bare,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def needs_a_shell(block: str) -> bool:
    """Whether a line of it needs another one's outcome, or is not Celery's."""
    return "$(" in block or "curl" in block


def side_by_side(system: System, blocks: list[str], folder: Path) -> dict[str, tuple[int, str]]:
    """The exit code and the output of each of Celery's commands; those of a block in order."""
    commands = [command for block in blocks for command in block.splitlines()]
    numbered = iter(enumerate(commands))
    asked = [[next(numbered) for _ in block.splitlines()] for block in blocks]
    program = [sys.executable, "-c", FORKING, str(folder)]
    text = json.dumps(asked)
    subprocess.run(program, cwd=ROOT, env=system.bare, input=text, text=True, check=True)
    return {
        command: (int((folder / f"{number}.code").read_text()), (folder / str(number)).read_text())
        for number, command in enumerate(commands)
    }


def go(system: System, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    """What `./koinx selftest --json` ends with, and says."""
    processes = Processes(system.home)
    settings = context.in_force(processes)
    code = selftest.selftest(processes, settings, context.api(settings), as_json=True)
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    return code, told


@pytest.mark.parametrize("block", blocks("operating.md"))
def test_the_guide_s_commands_find_nothing_wrong(system: System, block: str) -> None:
    ran = run(system, block)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stderr == ""
    if "selftest" in block:
        told = [line.split()[:2] for line in ran.stdout.splitlines()]
        assert told == [["ok", hop] for hop in WAY]
    if "doctor --json" in block:
        told_of = {one["check"] for one in json.loads(ran.stdout)["findings"]}
        assert {"python", "mongodb", "nats", "redis", "source", "clock", "processes"} <= told_of


def test_celery_s_commands_do_as_their_guide_says(system: System, tmp_path: Path) -> None:
    outcomes = side_by_side(system, [b for b in OF_CELERY if not needs_a_shell(b)], tmp_path)
    for block in filter(needs_a_shell, OF_CELERY):
        ran = run(system, block)
        outcomes[block] = (ran.returncode, ran.stdout + ran.stderr)
    for typed, (code, output) in outcomes.items():
        assert code == 0, typed + output
        for command, said in SAID.items():
            assert command not in typed or said in output, typed + output
    assert all(any(command in typed for typed in outcomes) for command in SAID)


def test_a_source_that_asks_to_wait_is_named(
    system: System, capsys: pytest.CaptureFixture[str]
) -> None:
    simulator = system.market()
    simulator.fault("rate_limited", retry_after=119, times=99)
    code, told = go(system, capsys)
    simulator.clear()
    # Nothing waits any more when the next test asks for an update: it would wait with it.
    with MongoClient[dict[str, Any]](system.server("mongodb"), directConnection=True) as client:
        client["koinx_demo_usd"]["updates"].update_many({}, {"$set": {"not_before": None}})
    this = f"/v1/updates/{told['update']}"
    wait_until(lambda: system.get(this).json()["state"] == "done", "it to end", 30)
    assert code == 1
    assert (told["broken"]["hop"], told["broken"]["part"]) == ("fetched", "source")
    assert "asks to wait 119 s" in told["broken"]["reason"]
    assert told["broken"]["cure"] == f"./koinx trace {told['update']}"


@pytest.mark.parametrize(("stopped", "hop", "part", "reason"), BREAKS)
def test_what_is_stopped_is_named(
    system: System,
    stopped: str,
    hop: str,
    part: str,
    reason: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert system.koinx("stop", stopped).returncode == 0
    code, told = go(system, capsys)
    assert code == 1
    assert (told["broken"]["hop"], told["broken"]["part"]) == (hop, part)
    assert reason in told["broken"]["reason"]
    assert [step["hop"] for step in told["steps"]] == list(WAY[: WAY.index(hop)])


def test_the_doctor_then_names_all_of_them(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in system.environment.items():
        monkeypatch.setenv(name, value)
    found = examine(Processes(system.home))
    faults = {one.check: one for one in found if one.state == "fault"}
    assert faults.keys() >= {stopped for stopped, *_ in BREAKS}
    assert all(one.cure for one in faults.values())
    assert faults["mongodb"].text == "is stopped"
    assert faults["worker"].cure == "./koinx start worker; see ./koinx logs worker"
