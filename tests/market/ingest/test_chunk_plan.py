"""The pages of a run, and what part of the update comes of them: no source is asked."""

import pytest

from bench.harness.services import quote
from market.ingest.chunk_plan import Run
from market.ingest.chunks import Part
from market.model.quotes import SkippedCoin
from market.sources.fetch import Fetched
from market.sources.http import SourceError
from settings import parse_coins

THREE_PAGES = parse_coins("bitcoin,top:500")
WAIT = SourceError("wait", retry_after=9)
FAILURE = SourceError("no use")
BITCOIN = {"bitcoin": quote("bitcoin", 1.0)}


def run(*pages: int, at_once: int = 2, coins: tuple[str, ...] = ("ethereum",)) -> Run:
    """A run after one that had these pages."""
    before = [Part(pages, coins if pages else ()).document()]
    return Run.following(before, THREE_PAGES, at_once)


@pytest.mark.parametrize(
    ("had", "at_once", "asked"),
    [
        ((), 3, [None, 1, 2]),
        ((), 2, [None, 1]),
        ((0, 1), 2, [2]),
        ((0, 2), 2, [1]),
        ((1,), 1, [None]),
        ((0, 1, 2), 2, []),
    ],
)
def test_a_run_asks_for_what_is_left(
    had: tuple[int, ...], at_once: int, asked: list[int | None]
) -> None:
    queries = run(*had, at_once=at_once).queries
    assert [query.get("page") for query in queries] == asked


def test_a_page_for_which_there_is_no_time_to_wait_has_failed() -> None:
    fetched = Fetched(BITCOIN, failures=[WAIT], waits=[1])
    part, is_last = run(at_once=3).part(fetched, may_wait=False)
    assert is_last
    assert (part.pages, part.reasons) == ([0, 1, 2], ["wait"])


def test_in_parts_a_page_that_must_wait_is_left_to_a_later_run() -> None:
    this = run()
    part, is_last = this.part(Fetched(BITCOIN, failures=[WAIT], waits=[1]))
    assert not is_last
    assert (part.pages, part.coins, part.reasons) == ([0], ["bitcoin"], [])
    assert this.told(part) == "1 of 3 pages were stored"
    assert this.told(part, Fetched(failures=[WAIT])) == "1 of 3 pages were stored; wait"


def test_a_small_update_has_its_page_that_must_wait_left_to_a_later_run() -> None:
    this = run(at_once=3)
    part, is_last = this.part(Fetched(BITCOIN, failures=[WAIT], waits=[1]))
    assert not is_last
    assert (part.pages, part.reasons) == ([0, 2], [])
    assert run(0, 2, at_once=3).queries == [this.queries[1]]


def test_in_parts_a_page_that_is_not_waited_for_is_told_with_its_part() -> None:
    part, is_last = run().part(Fetched(BITCOIN, failures=[WAIT], waits=[1]), may_wait=False)
    assert not is_last
    assert (part.pages, part.reasons) == ([0, 1], ["wait"])


def test_in_parts_a_page_that_failed_is_not_asked_for_again() -> None:
    part, is_last = run().part(Fetched(BITCOIN, failures=[FAILURE]))
    assert not is_last
    assert (part.pages, part.reasons) == ([0, 1], ["no use"])


def test_an_update_of_which_nothing_came_is_not_gone_on_with() -> None:
    part, is_last = run().part(Fetched(failures=[WAIT, FAILURE], waits=[0]))
    assert is_last
    assert part.reasons == ["wait", "no use"]
    # but of which there was something before
    assert not run(0, at_once=1).part(Fetched(failures=[FAILURE]))[1]


def test_a_second_source_ends_it() -> None:
    assert run().part(Fetched(BITCOIN, instead="another"))[1]


def test_a_coin_that_no_page_had_is_named_by_the_last_run_alone() -> None:
    bitcoin = SkippedCoin("bitcoin", "the source does not know it")
    assert run().part(Fetched({"dash": quote("dash", 1.0)}))[0].left_out == []
    part, is_last = run(0, 1).part(Fetched({"dash": quote("dash", 1.0)}))
    assert is_last
    assert part.left_out == [bitcoin]
    assert part.counts == {"asked": 2, "answered": 1, "left_out": 1}
    assert run(0, 1, coins=("bitcoin",)).part(Fetched())[0].left_out == []


def test_the_way_is_that_of_the_whole_update() -> None:
    assert run(at_once=3).gone(0.5) == 0.5
    assert run(0, 1).gone(0) == pytest.approx(2 / 3)
    assert run(0, 1).gone(1) == 1
