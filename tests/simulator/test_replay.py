"""Recorded pages, served again as they were."""

import json
from pathlib import Path

import pytest

from market.sources import lenient_json
from simulator.replay import Replay, ReplayError
from simulator.rows import Query
from simulator.server import encode
from tests.harness.recordings import COINGECKO


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, name in enumerate(("b_markets.json", "a_markets_x.json", "c_markets.json")):
        rows = [
            {"id": coin, "symbol": coin[0], "name": coin, "current_price": number * 10 + place}
            for place, coin in enumerate(("one", "two", "three"))
        ]
        (tmp_path / name).write_text(json.dumps(rows))
    (tmp_path / "coins_list.json").write_text("[]")
    return tmp_path


def _prices(replay: Replay, **query: object) -> list[object]:
    return [row["current_price"] for row in replay.markets(Query(**query), 0)]  # type: ignore[arg-type]


def test_captures_come_in_the_order_of_their_names_and_the_last_stays(folder: Path) -> None:
    replay = Replay(folder)
    assert [_prices(replay, key="k") for _ in range(5)] == [
        [10, 11, 12],
        [0, 1, 2],
        [20, 21, 22],
        [20, 21, 22],
        [20, 21, 22],
    ]


def test_two_queries_of_one_update_see_the_same_capture(folder: Path) -> None:
    replay = Replay(folder)
    for expected in (10, 0, 20):
        assert _prices(replay, key="ids", ids=("one", "nobody")) == [expected]
        assert _prices(replay, key="page 2", page=2, per_page=2) == [expected + 2]


def test_coins_left_out_make_room(folder: Path) -> None:
    query = {"per_page": 2, "without": frozenset({"one"}), "key": "k"}
    assert _prices(Replay(folder), **query) == [11, 12]


def test_a_frozen_row_is_the_first_one_seen(folder: Path) -> None:
    replay = Replay(folder)
    for _ in range(2):
        _prices(replay, key="k")
    first = replay.frozen("two", Query(), 5)
    _prices(replay, key="k")
    assert first is not None
    assert first["current_price"] == 1
    assert replay.frozen("two", Query(), 5) == first
    assert replay.frozen("two", Query(), 6) != first
    assert replay.frozen("nobody", Query(), 5) is None


def test_numbers_keep_their_type_and_length(tmp_path: Path) -> None:
    text = '[{"id": "a", "x": 1.0, "y": 1, "z": 123456789012345678901234567890, "n": null}]'
    (tmp_path / "markets.json").write_text(text)
    row = Replay(tmp_path).markets(Query(), 0)[0]
    assert json.dumps([row]) == text


def test_a_row_can_be_changed_without_harm(folder: Path) -> None:
    replay = Replay(folder)
    for key in ("a", "b"):
        rows = replay.markets(Query(key=key), 0)
        assert rows[0]["current_price"] == 10
        rows[0]["current_price"] = None


def test_the_list_has_every_coin_once(folder: Path) -> None:
    assert [coin["id"] for coin in Replay(folder).listing()] == ["one", "three", "two"]
    assert Replay(folder).chart("one", "usd", 0, 1, now=1) is None


def test_a_pattern_picks_files(folder: Path) -> None:
    assert [path.name for path in Replay(folder, "[bc]_*.json").files] == [
        "b_markets.json",
        "c_markets.json",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"error": "x"}', "m_markets.json is not a list of rows"),
        ("[]", "m_markets.json is not a list of rows"),
        ("[1]", "row 0 has no id"),
        ('[{"id": "a"}, {}]', "row 1 has no id"),
        ("<html>", "m_markets.json is not JSON"),
        ("[" * 5000, "m_markets.json is not JSON"),
        ('[{"id": "a"}, {"id": "b", "x": 1.}]', "m_markets.json is not JSON"),
    ],
)
def test_what_is_no_page_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "m_markets.json").write_text(text)
    with pytest.raises(ReplayError, match=message):
        Replay(tmp_path)


def test_a_bad_value_is_replayed_as_recorded(tmp_path: Path) -> None:
    body = b'[{"id": "a", "name": "\\ud800", "current_price": 1}, {"id": "b", "name": "\xff"}]'
    (tmp_path / "m_markets.json").write_bytes(body)
    rows = Replay(tmp_path).markets(Query(), 0)
    assert [row["name"] for row in lenient_json.loads(encode(rows))] == ["\ud800", "\udcff"]


def test_a_folder_without_pages_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReplayError, match=f"{tmp_path} has no file"):
        Replay(tmp_path)


def test_every_recorded_page_is_served_as_recorded() -> None:
    replay = Replay(COINGECKO)
    for path in sorted(COINGECKO.glob("*markets*.json")):
        served = replay.markets(Query(per_page=250, key="k"), 0)
        assert json.dumps(served) == json.dumps(json.loads(path.read_bytes()))
