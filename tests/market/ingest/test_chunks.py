"""Parts of an update: kept and read, and merge_results to one."""

from market.ingest.chunks import ChunkResult, merge_results
from market.model.quotes import SkippedCoin

FIRST = ChunkResult(
    pages=[0, 1],
    coins=["bitcoin", "ethereum"],
    skipped=[SkippedCoin("dash", "its price is null"), SkippedCoin("tron", "its price is null")],
    reasons=["one page failed"],
    counts={"asked": 4, "answered": 2, "left_out": 2, "stored": 2, "unchanged": 0},
)
SECOND = ChunkResult(
    pages=[2],
    coins=["tron"],
    skipped=[SkippedCoin("dash", "its price is null")],
    reasons=["one page failed"],
    counts={"asked": 2, "answered": 1, "left_out": 1, "stored": 0, "unchanged": 1},
)


def test_a_part_is_read_as_it_was_kept() -> None:
    assert ChunkResult.from_document(FIRST.to_document()) == FIRST
    assert ChunkResult.from_document(ChunkResult().to_document()) == ChunkResult([], [], [], [])


def test_parts_come_to_one() -> None:
    whole = merge_results([FIRST, SECOND])
    assert whole.pages == [0, 1, 2]
    assert whole.coins == ["bitcoin", "ethereum", "tron"]
    assert whole.skipped == [SkippedCoin("dash", "its price is null")]  # tron moved to another page
    assert whole.reasons == ["one page failed"]
    assert whole.counts == {"asked": 6, "answered": 3, "left_out": 3, "stored": 2, "unchanged": 1}
    assert merge_results([]) == ChunkResult([], [], [], [])


def test_what_a_tick_came_to_is_not_summed_up() -> None:
    part = ChunkResult(counts={"asked": 3}).with_counts({"stored": 2, "unchanged": 0, "held": 1})
    assert part.counts == {"asked": 3, "stored": 2, "unchanged": 0}
