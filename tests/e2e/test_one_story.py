"""A whole system as its operator sees it: one story for each update, numbers that add up."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psutil
import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from bench.harness.services import wait_until
from bench.harness.system import System, running

SENT = 300


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    home = tmp_path_factory.mktemp("operating")
    with running(home, "--demo", COINS="bitcoin,top:5", API_WORKERS="2") as made:
        yield made


def told(system: System, update: str) -> list[dict[str, Any]]:
    """The lines on an update, of all logs, as they came; what `grep -h` finds."""
    logs = map(str, (system.home / "logs").glob("*.log"))
    found = subprocess.run(
        ["grep", "-h", update, *logs], capture_output=True, text=True, check=False
    )
    return sorted(map(json.loads, found.stdout.splitlines()), key=lambda line: str(line["time"]))


def test_one_search_tells_an_updates_story(system: System) -> None:
    asked = requests.post(f"{system.api}/v1/updates", timeout=10)
    update = asked.json()["id"]
    ends = ("update closed", "succeeded")
    lines = wait_until(
        lambda: [
            lines
            for lines in [told(system, update)]
            if all(any(end in line["event"] for line in lines) for end in ends)
        ],
        "the story's end",
        60,
    )[0]
    assert all(line["update"] == update for line in lines)
    story = {(line["process"], line["event"]) for line in lines}
    assert {
        ("api", "published"),
        ("api", "event recorded in the ledger"),
        ("api", "ingest task queued"),
        ("worker", "update claimed"),
        ("worker", "update closed"),
    } <= story
    # A scheduled one begins with beat.
    [newest, *_] = system.get("/v1/updates?trigger=schedule&state=done&page_size=1").json()
    processes = [line["process"] for line in told(system, newest["id"])]
    assert processes[0] == "beat"
    assert {"beat", "worker", "api"} <= set(processes)
    # For people it is text.
    shown = system.koinx("logs", "worker").stdout
    assert f"update={update}" in shown
    assert "{" not in next(line for line in shown.splitlines() if update in line)


@pytest.mark.parametrize("name", ["api", "beat", "dashboard", "supervisor"])
def test_every_line_of_ours_is_json(system: System, name: str) -> None:
    lines = (system.home / "logs" / f"{name}.log").read_text().splitlines()
    assert lines
    for line in lines:
        assert list(json.loads(line))[:3] == ["time", "level", "event"]


def answered(system: System, rule: str, status: str = "2xx") -> float:
    labels = {"rule": rule, "method": "GET", "status": status}
    for family in text_string_to_metric_families(system.get("/metrics").text):
        for sample in family.samples:
            if sample.name == "koinx_requests_total" and sample.labels == labels:
                return sample.value
    return 0.0


def ask(system: System, times: int) -> None:
    """So many requests, on as many connections, which all of the API's processes answer."""

    def one(_: int) -> None:
        assert system.get("/v1/coins/bitcoin/quotes?limit=1").ok

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(one, range(times)))


def api_workers(system: System) -> list[psutil.Process]:
    server = psutil.Process(system.status()["api"]["pid"])
    return [one for one in server.children() if "resource_tracker" not in " ".join(one.cmdline())]


def test_the_requests_of_all_processes_are_counted_exactly_killed_ones_too(system: System) -> None:
    rule = "/v1/coins/{coin}/quotes"
    assert answered(system, rule) == 0
    ask(system, SENT)
    assert answered(system, rule) == SENT
    tallies = list((system.home / "run" / "metrics").glob("*.tally"))
    assert len(tallies) == 2, "each of two processes counted"

    before = {one.pid for one in api_workers(system)}
    assert len(before) == 2
    killed = before.pop()
    os.kill(killed, signal.SIGKILL)
    wait_until(
        lambda: len(after := {one.pid for one in api_workers(system)}) == 2 and killed not in after,
        "another in its place",
        60,
    )
    assert answered(system, rule) == SENT
    ask(system, SENT)
    assert answered(system, rule) == 2 * SENT
