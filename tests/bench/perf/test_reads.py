"""Whether the benchmark of reads measures all that it should, and tells what is too slow."""

import pytest

from bench.perf import reads

SMALL = ["--coins", "6", "--quotes", "600", "--requests", "2", "--old-coins", "1"]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two rounds, and a year as short as a month."""
    monkeypatch.setattr(reads, "ROUNDS", 2)
    monkeypatch.setattr(reads, "YEAR", reads.MONTH)
    monkeypatch.setattr(reads, "DRIFT", float("inf"))


@pytest.mark.usefixtures("quick")
def test_every_page_is_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("PAGE_MS", "NEWEST_MS", "COLD_MS"):
        monkeypatch.setattr(reads, name, 60_000.0)
    with pytest.raises(SystemExit) as ended:
        reads.main(SMALL)
    printed = capsys.readouterr().out
    assert ended.value.code == 0, printed
    assert "quotes of 6 coins stored" in printed
    for path in (*reads.PAGES, *reads.LAST_100):
        assert f"  {path}\n" in printed
    for path in reads.COIN_PAGES:
        assert f"  {path}, the first after an update\n" in printed
    assert printed.count("times a month's") == len(reads.LAST_100)


@pytest.mark.usefixtures("quick")
def test_what_is_too_slow_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(reads, "PAGES", ("/v1/updates",))
    monkeypatch.setattr(reads, "COIN_PAGES", ())
    monkeypatch.setattr(reads, "PAGE_MS", 0.0)
    with pytest.raises(SystemExit) as ended:
        reads.main(SMALL)
    assert ended.value.code == 1
    assert "SLOW /v1/updates: " in capsys.readouterr().out
