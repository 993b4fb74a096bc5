"""The benchmark of many quotes, on a few: it fills, stores each round anew, and tells a figure."""

import pytest

from bench.perf import writes_at_scale


def test_it_fills_stores_and_tells(capsys: pytest.CaptureFixture[str]) -> None:
    writes_at_scale.main(["--coins", "3", "--each", "2", "--rounds", "1"])
    [line] = [one for one in capsys.readouterr().out.splitlines() if "3 coins" in one]
    name, _, _, rounds = line.split("|")[1:5]
    assert (name.strip(), rounds.strip()) == ("quotes of 3 coins, each with 2, stored", "1")
