"""Parts of an update: kept and read, and joined to one."""

from market.ingest.chunks import Part, joined
from market.model.quotes import SkippedCoin

FIRST = Part(
    pages=[0, 1],
    coins=["bitcoin", "ethereum"],
    left_out=[SkippedCoin("dash", "its price is null"), SkippedCoin("tron", "its price is null")],
    reasons=["one page failed"],
    counts={"asked": 4, "answered": 2, "left_out": 2, "stored": 2, "unchanged": 0},
)
SECOND = Part(
    pages=[2],
    coins=["tron"],
    left_out=[SkippedCoin("dash", "its price is null")],
    reasons=["one page failed"],
    counts={"asked": 2, "answered": 1, "left_out": 1, "stored": 0, "unchanged": 1},
)


def test_a_part_is_read_as_it_was_kept() -> None:
    assert Part.of(FIRST.document()) == FIRST
    assert Part.of(Part().document()) == Part([], [], [], [])


def test_parts_come_to_one() -> None:
    whole = joined([FIRST, SECOND])
    assert whole.pages == [0, 1, 2]
    assert whole.coins == ["bitcoin", "ethereum", "tron"]
    assert whole.left_out == [
        SkippedCoin("dash", "its price is null")
    ]  # tron moved to another page
    assert whole.reasons == ["one page failed"]
    assert whole.counts == {"asked": 6, "answered": 3, "left_out": 3, "stored": 2, "unchanged": 1}
    assert joined([]) == Part([], [], [], [])


def test_what_a_tick_came_to_is_not_summed_up() -> None:
    part = Part(counts={"asked": 3}).counted({"stored": 2, "unchanged": 0, "held": 1})
    assert part.counts == {"asked": 3, "stored": 2, "unchanged": 0}
