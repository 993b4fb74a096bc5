"""Charts as CoinGecko gives them, odd ones among them."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from market.sources.coingecko import (
    DAY,
    HOUR,
    STEPS,
    Point,
    days_back,
    parse_chart,
    step_of,
)
from tests.harness.recordings import COINGECKO

NOW = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)
T0 = 1_763_800_000_000  # 2025-11-22, in milliseconds


def chart(*prices: Any, caps: Any = None, volumes: Any = None) -> dict[str, Any]:
    return {"prices": list(prices), "market_caps": caps or [], "total_volumes": volumes or []}


def recorded() -> list[Any]:
    found = sorted(COINGECKO.glob("market_chart_*.json"))
    return [pytest.param(path, id=path.stem) for path in found]


@pytest.mark.parametrize("path", recorded())
def test_recorded_points_are_the_files_to_the_last_digit(path: Any) -> None:
    reply = json.loads(path.read_text())
    points = parse_chart(reply, NOW)
    prices = sorted((time, price) for time, price in reply["prices"] if price is not None)
    assert [(round(p.at.timestamp() * 1000), p.price) for p in points] == prices
    caps = dict(reply["market_caps"])
    assert [p.market_cap for p in points] == [caps[time] or None for time, _ in prices]
    steps = {"5min": STEPS[0], "hourly": HOUR, "daily": DAY}
    assert step_of(points) == next(s for name, s in steps.items() if name in path.name)


def test_caps_and_volumes_go_by_their_time_and_may_be_null() -> None:
    points = parse_chart(
        chart(
            [T0, 1.5], [T0 + 1, 2], caps=[[T0, 0], [T0 + 1, None]], volumes=[[T0 + 1, 7], [T0, -3]]
        ),
        NOW,
    )
    assert [(p.price, p.market_cap, p.volume_24h) for p in points] == [
        (1.5, None, None),
        (2.0, None, 7.0),
    ]


def test_a_last_point_before_its_neighbour_is_put_in_its_place() -> None:
    points = parse_chart(chart([T0, 1], [T0 + 300_000, 2], [T0 + 299_000, 3]), NOW)
    assert [p.price for p in points] == [1, 3, 2]


def test_of_two_points_with_one_time_the_first_stands() -> None:
    assert [p.price for p in parse_chart(chart([T0, 1], [T0, 2]), NOW)] == [1]


@pytest.mark.parametrize(
    "odd",
    [
        [T0, None],
        [T0, "1"],
        [T0, -1],
        [T0, float("nan")],
        [T0, 10**400],
        [None, 1],
        [-1, 1],
        [10**400, 1],
        [1e13 * 9, 1],
        [T0],
        "x",
        None,
        {},
    ],
    ids=repr,
)
def test_what_is_no_price_is_left_out(odd: Any) -> None:
    assert [p.price for p in parse_chart(chart(odd, [T0 + 1, 5]), NOW)] == [5]


@pytest.mark.parametrize("reply", [None, [], {}, {"prices": None}, {"prices": {}}, "x"])
def test_what_is_no_chart_is_refused(reply: Any) -> None:
    with pytest.raises(ValueError, match="no list of prices"):
        parse_chart(reply, NOW)


@pytest.mark.parametrize(
    ("age", "days"),
    [
        (timedelta(minutes=20), 1),
        (timedelta(days=1), 1),
        (timedelta(days=1, seconds=1), 2),
        (timedelta(days=89.5), 90),
        (timedelta(days=91), 91),
        (timedelta(days=5000), 365),
    ],
)
def test_the_finest_chart_that_reaches_back_is_taken(age: timedelta, days: int) -> None:
    assert days_back(NOW - age, NOW) == days


def test_of_two_points_no_step_can_be_told() -> None:
    moments = [Point(NOW + n * STEPS[0], 1.0, None, None) for n in range(3)]
    assert step_of(moments) == STEPS[0]
    assert step_of(moments[:2]) == DAY
