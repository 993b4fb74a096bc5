"""Rows of the source as quotes: what is taken, what is left out, and what is said of it."""

import json
import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from market.model.quotes import CLOCK_SKEW, GENESIS, SUCCESSORS, Quote, SkippedCoin, parse_row
from tests.harness.recordings import COINGECKO

NOW = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)
ROW = {
    "id": "bitcoin",
    "symbol": "btc",
    "name": "Bitcoin",
    "image": "https://images.invalid/1.png",
    "current_price": 95000,
    "market_cap": 1_890_000_000_000,
    "market_cap_rank": 1,
    "total_volume": 42e9,
    "price_change_percentage_24h": -1.25,
    "last_updated": "2026-11-22T08:29:58.123Z",
}

json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
rows = st.fixed_dictionaries(
    {}, optional={name: json_values | st.just(v) for name, v in ROW.items()}
)


def quote_of(**changes: Any) -> Quote:
    made = parse_row(ROW | changes, NOW)
    assert isinstance(made, Quote), made
    return made


def reason_for(row: Any) -> SkippedCoin:
    made = parse_row(row, NOW)
    assert isinstance(made, SkippedCoin), made
    return made


def test_a_row_becomes_a_quote() -> None:
    assert parse_row(ROW, NOW) == Quote(
        coin="bitcoin",
        at=datetime(2026, 11, 22, 8, 29, 58, 123_000, tzinfo=UTC),
        price=95000.0,
        market_cap=1.89e12,
        change_24h=-1.25,
        volume_24h=42e9,
        name="Bitcoin",
        symbol="btc",
        rank=1,
        image="https://images.invalid/1.png",
    )


@given(json_values | rows)
@example({**ROW, "current_price": 10**5000})
@example({**ROW, "market_cap": 10**400, "market_cap_rank": 10**400})
@example({**ROW, "last_updated": "9999-12-31T23:59:59-23:59"})
def test_whatever_comes_a_quote_is_sound_or_its_reason_is_short(row: Any) -> None:
    made = parse_row(row, NOW)
    if isinstance(made, SkippedCoin):
        assert len(made.coin) <= 128
        assert 0 < len(made.reason) <= 120
        return
    assert 0 < len(made.coin) <= 128
    assert math.isfinite(made.price)
    assert made.price >= 0
    for number in (made.market_cap, made.volume_24h):
        assert number is None or (math.isfinite(number) and number >= 0)
    assert made.change_24h is None or math.isfinite(made.change_24h)
    assert made.rank is None or 0 < made.rank < 1e9
    assert made.at.utcoffset() == timedelta(0)
    assert GENESIS <= made.at <= NOW + CLOCK_SKEW
    assert made.at.microsecond % 1000 == 0
    assert max(len(made.name), len(made.symbol)) <= 128  # an id stands for a missing name
    assert len(made.image or "") <= 2048


@pytest.mark.parametrize(
    ("price", "shown"),
    [
        (None, "null"),
        (True, "True"),
        (math.nan, "nan"),
        (math.inf, "inf"),
        (-math.inf, "-inf"),
        (-0.01, "-0.01"),
        (-1, "-1"),
        ("95000", "'95000'"),
        ([95000], "[95000]"),
        ({"usd": 1}, "{'usd': 1}"),
        (10**400, "1000000000"),
        pytest.param(10**5000, "too large to show (int)", id="10**5000"),
        ("x" * 500, "'xxxxxxxx"),
    ],
)
@pytest.mark.row("no-quote")
def test_a_price_that_is_none_is_left_out_and_named(price: Any, shown: str) -> None:
    left = reason_for(ROW | {"current_price": price})
    assert left.coin == "bitcoin"
    assert left.reason.startswith(f"its price is {shown}")
    assert len(left.reason) <= 100


def test_a_row_without_its_price_is_left_out() -> None:
    left = reason_for({name: value for name, value in ROW.items() if name != "current_price"})
    assert left == SkippedCoin("bitcoin", "its price is null")


def test_a_price_too_deep_to_show_is_left_out() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert reason_for(ROW | {"current_price": deep}).reason.startswith("its price is too large")


@pytest.mark.parametrize(
    "at",
    [
        None,
        1_795_383_000,
        True,
        "",
        "yesterday",
        "2026-11-22",
        "2026-11-22T08:29:58",
        "2026-13-01T00:00:00Z",
        "2026-11-22T08:41:00Z",
        "2030-01-01T00:00:00Z",
        "2009-01-02T23:59:59Z",
        "1970-01-01T00:00:00Z",
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-23:59",
    ],
)
@pytest.mark.row("no-quote")
def test_a_time_that_cannot_be_is_left_out_and_named(at: Any) -> None:
    left = reason_for(ROW | {"last_updated": at})
    assert left == SkippedCoin(
        "bitcoin", f"its last_updated is {'null' if at is None else repr(at)}"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-22T08:29:58.123Z", "08:29:58.123"),
        ("2026-11-22T08:29:58.123999Z", "08:29:58.123"),
        ("2026-11-22T08:29:58Z", "08:29:58.000"),
        ("2026-11-22T13:59:58+05:30", "08:29:58.000"),
        ("2026-11-22T08:40:00Z", "08:40:00.000"),  # a clock that is ten minutes ahead
    ],
)
def test_times_are_utc_to_the_millisecond(text: str, expected: str) -> None:
    at = quote_of(last_updated=text).at
    assert at.isoformat(timespec="milliseconds") == f"2026-11-22T{expected}+00:00"


@pytest.mark.parametrize(
    ("coin", "shown"),
    [
        (None, "null"),
        ("", "''"),
        (7, "7"),
        (["bitcoin"], "['bitcoin']"),
        ("bit\ncoin", r"'bit\ncoin'"),
        ("bit\x00coin", r"'bit\x00coin'"),
        ("x" * 129, "'xxx"),
    ],
)
def test_an_id_that_is_none_is_left_out_and_shown(coin: Any, shown: str) -> None:
    left = reason_for(ROW | {"id": coin})
    assert left.coin.startswith(shown)
    assert len(left.coin) <= 80
    assert left.reason == "its id is not 1 to 128 printable characters"


@pytest.mark.parametrize("coin", ["_", "-6", "1move token", "boringdao-[old]", "🦊", "x" * 128])
def test_ids_as_they_really_are(coin: str) -> None:
    assert quote_of(id=coin).coin == coin


@pytest.mark.parametrize("row", [None, [], "bitcoin", 1, True])
def test_a_row_that_is_no_object_is_left_out(row: Any) -> None:
    assert reason_for(row) == SkippedCoin("?", f"the row is no object but {type(row).__name__}")


@pytest.mark.parametrize("value", [None, True, math.nan, math.inf, 10**400, "1", [], {}])
def test_other_numbers_that_are_none_stay_none(value: Any) -> None:
    made = quote_of(
        market_cap=value,
        total_volume=value,
        price_change_percentage_24h=value,
        market_cap_rank=value,
    )
    assert (made.market_cap, made.volume_24h, made.change_24h, made.rank) == (None,) * 4
    assert made.price == 95000


def test_only_a_change_may_be_negative() -> None:
    made = quote_of(
        market_cap=-1, total_volume=-1, price_change_percentage_24h=-1, market_cap_rank=-1
    )
    assert (made.market_cap, made.volume_24h, made.change_24h, made.rank) == (None, None, -1, None)


def test_nothing_is_a_number_too() -> None:
    made = quote_of(
        current_price=0,
        market_cap=0,
        market_cap_rank=9,
        total_volume=0.0,
        price_change_percentage_24h=0,
    )
    assert (made.price, made.market_cap, made.volume_24h, made.change_24h) == (0, 0, 0, 0)


def test_a_market_cap_of_0_without_a_rank_is_not_known() -> None:
    for rank, market_cap in ((None, None), ("x", None), (7, 0)):
        assert quote_of(market_cap=0, market_cap_rank=rank).market_cap == market_cap
    assert quote_of(market_cap=5, market_cap_rank=None).market_cap == 5


def test_a_coin_without_a_name_goes_by_its_id() -> None:
    made = quote_of(name=None, symbol=7, image=[])
    assert (made.name, made.symbol, made.image) == ("bitcoin", "", None)


def test_texts_are_cut_but_an_address_is_whole_or_none() -> None:
    long = "https://images.invalid/" + "x" * 300
    made = quote_of(name="n" * 300, symbol="s" * 300, image=long)
    assert (len(made.name), len(made.symbol), made.image) == (100, 100, long)
    assert quote_of(image=long * 10).image is None
    assert quote_of(image="").image is None


def _known_cap(row: dict[str, Any]) -> Any:
    return None if row["market_cap"] == 0 and row["market_cap_rank"] is None else row["market_cap"]


def test_every_recorded_row_is_parsed_as_the_page_says() -> None:
    pages = sorted(COINGECKO.glob("*markets*.json"))
    assert len(pages) > 12
    for page in pages:
        for row in json.loads(page.read_bytes()):
            # When
            made = parse_row(row, NOW)
            # Then
            where = f"{page.name}: {row['id']}"
            assert isinstance(made, Quote), f"{where}: {made}"
            assert (made.coin, made.name, made.symbol) == (row["id"], row["name"], row["symbol"])
            assert (made.price, made.market_cap) == (row["current_price"], _known_cap(row)), where
            assert made.volume_24h == row["total_volume"], where
            assert made.change_24h == row["price_change_percentage_24h"], where
            assert (made.rank, made.image) == (row["market_cap_rank"], row["image"]), where
            shown = made.at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
            assert shown == row["last_updated"], where


def test_a_successor_is_no_retired_coin() -> None:
    assert not set(SUCCESSORS) & set(SUCCESSORS.values())
