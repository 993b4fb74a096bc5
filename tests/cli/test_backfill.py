"""`./koinx backfill`, against a real API whose repairs are carried out beside it."""

import doctest
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask

from bench.harness.services import free_port, wait_until
from cli import backfill as command
from cli.backfill import backfill
from cli.output import CommandError
from simulator.server import serving
from tasks import ingest, repair
from tasks.dependencies import Services
from tests.harness.worker import in_a_worker


@pytest.fixture
def on(environment: None, database: object) -> Iterator[Services]:
    """A system whose first update has ended."""
    with in_a_worker() as made:
        made.ledger.receive("first", trigger="event", slot=None, hops={})
        assert ingest.ingest("first") == "done"
        yield made


@pytest.fixture
def url(app: Flask) -> Iterator[str]:
    with serving(app) as found:
        yield found


def test_it_ends_when_all_is_mended(
    on: Services, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    # When
    with ThreadPoolExecutor(1) as threads:
        ran = threads.submit(backfill, url, None, ["bitcoin", "ethereum"], None, None)
        wait_until(lambda: on.repairs.count(state="waiting") == 2, "the wish")
        assert repair.mend() == 2
        ran.result(20)
    # Then
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("2 of 2 coins, from ")
    assert lines[-1].endswith("2 of 2 repairs")
    assert len(on.history.records("bitcoin", limit=100, repaired=True)) == 100


def test_without_coins_it_is_all_that_are_collected(on: Services, url: str) -> None:
    with ThreadPoolExecutor(1) as threads:
        ran = threads.submit(
            backfill, url, None, [], "2026-11-01T00:00:00Z", "2026-11-01T02:00:00Z"
        )
        wait_until(lambda: on.repairs.count() == 20, "the wish")
        wait_until(lambda: repair.mend() == 0, "all to be mended")
        ran.result(20)
    [one, *_] = on.repairs.newest(coin="ethereum", state=None, skip=0, limit=1)
    assert (one["state"], one["empty"], one["mended"]) == ("done", 8, {"3600": 2})


@pytest.mark.usefixtures("on")
def test_what_the_api_refuses_is_told_in_its_words(url: str) -> None:
    with pytest.raises(CommandError, match="'nothing' is not collected"):
        backfill(url, None, ["nothing"], None, None)
    with pytest.raises(CommandError, match="yesterday"):
        backfill(url, None, ["bitcoin"], "yesterday", None)


def test_an_api_that_is_down_is_told() -> None:
    with pytest.raises(
        CommandError, match=r"gave no usable answer \(ConnectionError\): see ./koinx status"
    ):
        backfill(f"http://127.0.0.1:{free_port()}", None, ["bitcoin"], None, None)


def test_the_bar_is_as_its_example_says() -> None:
    assert doctest.testmod(command) == (0, 1)
    assert command.bar(0, 0, 0).startswith("#" * 30)
