"""The pages of a run, and what part of the update comes of them: no source is asked."""

import pytest

from bench.harness.services import quote
from market.ingest.chunks import Chunk, ChunkResult
from market.model.quotes import SkippedCoin
from market.sources.fetch import FetchResult
from market.sources.http import SourceError
from settings import parse_coins

THREE_PAGES = parse_coins("bitcoin,top:500")
WAIT = SourceError("wait", retry_after=9)
FAILURE = SourceError("no use")
BITCOIN = {"bitcoin": quote("bitcoin", 1.0)}


def run(*pages: int, max_pages: int = 2, coins: tuple[str, ...] = ("ethereum",)) -> Chunk:
    """A run after one that had these pages."""
    before = [ChunkResult(pages, coins if pages else ()).to_document()]
    return Chunk.following(before, THREE_PAGES, max_pages)


@pytest.mark.parametrize(
    ("had", "max_pages", "asked"),
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
    had: tuple[int, ...], max_pages: int, asked: list[int | None]
) -> None:
    queries = run(*had, max_pages=max_pages).queries
    assert [query.get("page") for query in queries] == asked


def test_a_page_for_which_there_is_no_time_to_wait_has_failed() -> None:
    fetched = FetchResult(BITCOIN, failures=[WAIT], waits=[1])
    part, is_last = run(max_pages=3).result(fetched, may_wait=False)
    assert is_last
    assert (part.pages, part.reasons) == ([0, 1, 2], ["wait"])


def test_in_parts_a_page_that_must_wait_is_left_to_a_later_run() -> None:
    this = run()
    part, is_last = this.result(FetchResult(BITCOIN, failures=[WAIT], waits=[1]))
    assert not is_last
    assert (part.pages, part.coins, part.reasons) == ([0], ["bitcoin"], [])
    assert this.status(part) == "1 of 3 pages were stored"
    assert this.status(part, FetchResult(failures=[WAIT])) == "1 of 3 pages were stored; wait"


def test_a_small_update_has_its_page_that_must_wait_left_to_a_later_run() -> None:
    this = run(max_pages=3)
    part, is_last = this.result(FetchResult(BITCOIN, failures=[WAIT], waits=[1]))
    assert not is_last
    assert (part.pages, part.reasons) == ([0, 2], [])
    assert run(0, 2, max_pages=3).queries == [this.queries[1]]


def test_in_parts_a_page_that_is_not_waited_for_is_told_with_its_part() -> None:
    part, is_last = run().result(FetchResult(BITCOIN, failures=[WAIT], waits=[1]), may_wait=False)
    assert not is_last
    assert (part.pages, part.reasons) == ([0, 1], ["wait"])


def test_in_parts_a_page_that_failed_is_not_asked_for_again() -> None:
    part, is_last = run().result(FetchResult(BITCOIN, failures=[FAILURE]))
    assert not is_last
    assert (part.pages, part.reasons) == ([0, 1], ["no use"])


def test_an_update_of_which_nothing_came_is_not_gone_on_with() -> None:
    part, is_last = run().result(FetchResult(failures=[WAIT, FAILURE], waits=[0]))
    assert is_last
    assert part.reasons == ["wait", "no use"]
    # but of which there was something before
    assert not run(0, max_pages=1).result(FetchResult(failures=[FAILURE]))[1]


def test_a_second_source_ends_it() -> None:
    assert run().result(FetchResult(BITCOIN, fallback="another"))[1]


def test_a_coin_that_no_page_had_is_named_by_the_last_run_alone() -> None:
    bitcoin = SkippedCoin("bitcoin", "the source does not know it")
    assert run().result(FetchResult({"dash": quote("dash", 1.0)}))[0].skipped == []
    part, is_last = run(0, 1).result(FetchResult({"dash": quote("dash", 1.0)}))
    assert is_last
    assert part.skipped == [bitcoin]
    assert part.counts == {"asked": 2, "answered": 1, "left_out": 1}
    assert run(0, 1, coins=("bitcoin",)).result(FetchResult())[0].skipped == []


def test_the_way_is_that_of_the_whole_update() -> None:
    assert run(max_pages=3).progress(0.5) == 0.5
    assert run(0, 1).progress(0) == pytest.approx(2 / 3)
    assert run(0, 1).progress(1) == 1
