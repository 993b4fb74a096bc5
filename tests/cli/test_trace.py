"""`./koinx trace`, in words and against a real API."""

import doctest
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask

from api_client.client import ApiError, Client
from api_client.updates import HOPS
from cli import trace as command
from cli.trace import lines, trace
from market.ledger.ledger import Ledger
from simulator.server import serving
from tests.harness.ledger_entries import closed
from tests.harness.traced_update import an_update


@pytest.fixture
def client(app: Flask) -> Iterator[Client]:
    with serving(app) as url:
        yield Client(url)


def test_each_hop_has_its_time_and_its_place_in_the_whole() -> None:
    heading, *hops, counts = lines(an_update(counts={"asked": 3, "stored": 2}))
    assert heading == "2026-11-23T04:00Z  schedule  done, 4.0 s"
    assert [line.split()[0] for line in hops] == list(HOPS)
    assert hops[0].startswith("published  04:00:00.000 ")
    assert hops[1].startswith("streamed       + 500 ms ███▊ ")
    assert hops[-1].index("█") > hops[1].index("█")
    assert counts == "quotes     3 asked, 2 stored"


@pytest.mark.parametrize(
    ("known", "reached", "said"),
    [
        (
            {"state": "failed", "stopped_before": "fetched", "error": "no internet"},
            9,
            "failed before fetched: no internet",
        ),
        (
            {"state": "missed", "stopped_before": "published", "error": "nothing was running"},
            0,
            "missed before published: nothing was running",
        ),
        (
            {
                "state": "received",
                "stage": "postponed",
                "stopped_before": "fetched",
                "not_before": "2026-11-23T04:02:00+00:00",
                "error": "limits the calls (429)",
            },
            5,
            "postponed until 2026-11-23T04:02:00+00:00, before fetched: limits the calls (429)",
        ),
        (
            {"state": "received", "stage": "waiting", "stopped_before": "started"},
            3,
            "in progress, not started yet (no worker took it: see ./koinx status)",
        ),
        (
            {"state": "running", "stage": "fetching", "stopped_before": "fetched", "error": "502"},
            5,
            "in progress, not fetched yet; last attempt: 502",
        ),
        ({"error": "the second page failed"}, 9, "partly     the second page failed"),
    ],
)
def test_where_it_stopped_is_its_last_line(known: dict[str, Any], reached: int, said: str) -> None:
    assert list(lines(an_update(reached, **known)))[-1] == said


def test_the_bar_is_as_its_example_says() -> None:
    assert doctest.testmod(command) == (0, 1)
    assert command.bar(9.9999, 0.0001, 10) == " " * 29 + "▏"
    assert command.bar(0, 0, 0) == command.bar(1, 0, 2) == " " * 30


def test_the_newest_or_the_one_that_is_named(
    client: Client, ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    closed(ledger, "one", "done")
    closed(ledger, "two", "failed", "no internet connection")
    assert trace(client, "latest", as_json=False) == 1
    shown = capsys.readouterr().out
    assert shown.startswith("two  event  failed")
    assert "failed before fetched: no internet connection" in shown
    assert trace(client, "one", as_json=True) == 0
    assert '"id": "one"' in capsys.readouterr().out


def test_one_that_is_not_there_says_what_to_do(client: Client, ledger: Ledger) -> None:
    with pytest.raises(ApiError, match="The ledger has no update yet") as error:
        trace(client, "latest", as_json=False)
    assert "./koinx selftest" in error.value.next_step
    closed(ledger, "one", "done")
    with pytest.raises(ApiError, match="The ledger has no update no/where"):
        trace(client, "no/where", as_json=False)
