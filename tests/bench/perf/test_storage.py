"""Whether the benchmark of storage measures all that it should."""

import re
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest

from bench.harness.recorded_quotes import SLOT, Recorded
from bench.perf import storage
from tests.harness.recorded_pages import write_pages


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    write_pages(tmp_path)
    return tmp_path


def test_quotes_walk_on_with_the_digits_of_their_pages(pages: Path) -> None:
    recorded = Recorded(pages, Random(1), 5)
    assert len(recorded.coins) == 5
    start = datetime(2026, 11, 20, tzinfo=UTC)
    slots = [start + n * SLOT for n in range(50)]
    for coin in recorded.coins:
        quotes = list(recorded.series(coin, slots))
        assert all(slot - SLOT < one.at <= slot for one, slot in zip(quotes, slots, strict=True))
        assert all(one.price > 0 and one.coin == coin for one in quotes)
        assert max(len(repr(one.price)) for one in quotes) <= 13
    again = Recorded(pages, Random(1), 5)
    assert list(again.series("bitcoin", slots)) == list(
        Recorded(pages, Random(1), 5).series("bitcoin", slots)
    )


def test_a_folder_without_pages_is_named(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="has no page markets_usd_page1"):
        Recorded(tmp_path, Random(1))


def test_all_is_measured(
    pages: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # So few quotes leave most of a file's first blocks empty.
    monkeypatch.setattr(storage, "PER_QUOTE", float("inf"))
    monkeypatch.setattr(storage, "PER_ORIGINAL", 0.0)
    small = ["--updates", "3", "--coins", "1", "--days", "40", "--pages", str(pages)]
    with pytest.raises(SystemExit) as ended:
        storage.main(small)
    printed = capsys.readouterr().out
    assert ended.value.code == 1, printed
    for one in storage.DESIGNS:
        assert f" {one.name}\n" in printed
    for line in ("3 quotes of 1 coins", "3840 quotes, 40 days of 1 coins", "rolled up, 2 steps"):
        assert line in printed
    assert re.search(r"deleted but for 30 days, \d+ steps in", printed)
    assert re.search(r"OVER an original quote: [\d.]+ bytes, allowed are 0\n", printed)
    assert "OVER a quote" not in printed
