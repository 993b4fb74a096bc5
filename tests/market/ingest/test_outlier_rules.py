"""Which price is credible: made-up cases, recorded charts, and a month of random walks."""

import json
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

from market.ingest.outlier_rules import WINDOW, doubt, is_usual, judge
from tests.harness.recordings import COINGECKO, WHOLE

START = datetime(2026, 11, 1, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
CHARTS = sorted(COINGECKO.glob("market_chart_*.json"))
DECIMALS = (10.0, 100.0, 1000.0, 0.1, 0.01, 0.001)
UNITS = (1 / 95_000, 1 / 3_200, 1e8, 150.0)  # in bitcoin, in ether, in satoshi, in yen


class Point(NamedTuple):
    """A price in time; `slip` if it is not the market's."""

    at: datetime
    price: float
    slip: bool = False


@dataclass
class Played:
    """What became of a coin's readings, one update each."""

    stored: list[Point] = field(default_factory=list)
    held: list[Point] = field(default_factory=list)
    dropped: list[Point] = field(default_factory=list)
    waiting: list[Point] = field(default_factory=list)


def play(points: Sequence[Point]) -> Played:
    """Goes through readings as updates do: none of them knows what comes later."""
    played = Played()
    for point in points:
        if not played.waiting and (
            not played.stored or is_usual(played.stored[-1].price, point.price)
        ):
            played.stored.append(point)
            continue
        # A tick that waits for longer than for the next reading would be among them again.
        assert len(played.waiting) <= 1
        verdicts = judge(played.stored[-WINDOW:], [*played.waiting, point])
        played.waiting = [one.reading for one in verdicts if one.outcome == "held"]
        played.held += played.waiting
        played.stored += [one.reading for one in verdicts if one.outcome == "good"]
        played.dropped += [one.reading for one in verdicts if one.outcome == "dropped"]
    return played


def series(*prices: float, every: timedelta = QUARTER) -> list[Point]:
    return [Point(START + number * every, price) for number, price in enumerate(prices)]


def prices(points: Sequence[Point]) -> list[float]:
    return [point.price for point in points]


def calm(price: float = 100.0) -> list[float]:
    """A hundred prices of a coin that moves by half a percent."""
    return [price * (1 + 0.005 * (number % 2)) for number in range(WINDOW)]


def wild(move: float) -> list[float]:
    """A hundred prices of a coin, every fifth of whose moves is this one, there or back."""
    found, high = [], False
    for number in range(WINDOW):
        high ^= number % 5 == 0
        found.append(move if high else 1.0)
    return found


@pytest.mark.parametrize(
    ("before", "price", "expected"),
    [
        *((100, 149.99, True), (100, 50.01, True), (100, 100, True), (0, 0, True)),
        *((100, 150, False), (100, 50, False), (100, 0, False), (0, 100, False)),
        *((1e308, 1.2e308, True), (1.7e308, 1.7e308, True), (5e-324, 1e308, False)),
    ],
)
def test_a_move_under_half_is_usual(before: float, price: float, expected: bool) -> None:
    assert is_usual(before, price) is expected


@pytest.mark.parametrize("factor", [1.49, 0.51])
def test_a_move_under_half_is_never_held_whatever_the_past(factor: float) -> None:
    # Given a coin that stands still, or has no past but one price
    for past in ([100.0] * WINDOW, [100.0]):
        points = series(*past, past[-1] * factor)
        assert play(points).stored == points


@pytest.mark.parametrize("factor", [*DECIMALS, *UNITS, 1.6, 2.0, 0.45, 0.0])
def test_a_calm_coin_s_slip_is_held_and_dropped_when_the_price_is_back(factor: float) -> None:
    points = series(*calm(), 100 * factor, 100.2)
    first, played = play(points[:-1]), play(points)
    assert first.waiting == [points[-2]]
    assert first.stored == points[:-2]
    assert (played.dropped, played.waiting) == ([points[-2]], [])
    assert played.stored == [*points[:-2], points[-1]]


@pytest.mark.parametrize("after", [0.3, 0.25, 0.4, 0.02, 0.0001])
def test_a_crash_is_there_one_price_later_and_complete(after: float) -> None:
    points = series(*calm(1.0), 0.3, after, after)
    played = play(points)
    assert played.stored == points
    assert played.held[0] == points[-3]
    # Where it falls on by more than half, that price waits in its turn.
    assert played.held[1:] == ([points[-2]] if after < 0.15 else [])


def test_of_two_slips_in_a_row_the_newer_one_is_held() -> None:
    points = series(*calm(), 1000, 10, 100)
    assert play(points[:-1]).waiting == [points[-2]]
    assert play(points).dropped == points[-3:-1]
    assert prices(play(points).stored)[-1] == 100


@pytest.mark.parametrize(
    ("past", "price", "after", "credible"),
    [
        # A gap makes a move credible, a slip of the decimal point not for two months.
        *((calm(), 160, timedelta(days=7), True), (calm(), 160, timedelta(days=1), False)),
        *((calm(), 1000, timedelta(days=45), False), (calm(), 1000, timedelta(days=90), True)),
        *((calm(), 10, timedelta(days=45), False), (calm(), 10, timedelta(days=90), True)),
        # A young coin has no past that would speak for a move.
        *(([100.0], 160, QUARTER, False), ([100.0, 101.0], 160, QUARTER, False)),
        # One that moves by 80 % again and again may do so once more, but not tenfold.
        *((wild(1.8), 1.8 * 1.8, QUARTER, True), (wild(1.8), 18, QUARTER, False)),
        *((wild(9.0), 0.1, QUARTER, False), (wild(9.0), 4, QUARTER, True)),
        # A single crash does not open the door; a stored slip does, until five prices later.
        *(
            ([*calm(), *calm(10)[:2]], 100, QUARTER, False),
            ([*calm(), 1000, 100], 450, QUARTER, True),
        ),
        *(([*calm(), 1000, *calm()[:6]], 1000, QUARTER, False), ([], 1e9, QUARTER, True)),
        # After a collapse it is open for five prices.
        *(
            ([*calm(), 30, 6, 6, 6, 6], 1.5, QUARTER, True),
            ([*calm(), 30, *[6.0] * 6], 1.5, QUARTER, False),
        ),
        # What is less than a slot apart says no more than what is a slot apart.
        ([*calm(), 100.5, 100.0], 160, timedelta(seconds=1), False),
    ],
)
def test_the_past_and_the_time_say_what_is_credible(
    past: list[float], price: float, after: timedelta, credible: bool
) -> None:
    points = series(*past)
    new = Point((points[-1].at if points else START) + after, price)
    assert (doubt(points, new) is None) is credible


def test_moves_within_seconds_count_as_if_they_had_taken_a_slot() -> None:
    restless = [1.0, 1.05] * 50
    fast = series(*restless, every=timedelta(seconds=1))
    assert doubt(fast, Point(fast[-1].at + QUARTER, 1.8))
    slow = series(*wild(1.8))
    assert not doubt(slow, Point(slow[-1].at + timedelta(seconds=1), 1.8))


def test_no_time_and_no_move_is_too_great_for_the_words() -> None:
    past = series(*[5e-324, 1e-300] * 5)
    (verdict,) = judge(past, [Point(START + timedelta(days=6000), 1.7e308)])
    assert verdict.outcome == "held"


def test_a_price_of_zero_is_held_and_its_end_is_measured_from_the_price_before() -> None:
    # A zero in between is dropped, one that stays is stored
    assert prices(play(series(*calm(), 0, 100)).stored) == [*calm(), 100]
    gone = series(*calm(), 0, 0, 0)
    assert play(gone).stored == gone
    # ... and after it the price before it is what others are compared with
    assert play(series(*calm(), 0, 0, 101)).held == [Point(START + WINDOW * QUARTER, 0)]
    assert play(series(*calm(), 0, 0, 1000)).waiting == [Point(START + 102 * QUARTER, 1000)]
    # ... a coin that was never worth anything may be worth anything
    assert play(series(0, 0, 5)).held == []
    assert play(series(*calm(), 0, 0, 1000, 0)).dropped == [Point(START + 102 * QUARTER, 1000)]


def test_the_reasons_have_the_numbers() -> None:
    back, on = series(*[100.0] * 9, 1000, 101), series(*[100.0] * 9, 1000, 1001)
    (dropped, _), (good, _) = (judge(points[:9], points[9:]) for points in (back, on))
    for one in (dropped, good):
        assert one.doubt == (
            "1000 is 10 times 100, the price 15 min before; its own moves make 0.5 to 1.5 times "
            "credible"
        )
    assert dropped.evidence == "the next price, 101, is nearer to 100 than to it"
    assert good.evidence == "the next price, 1001, is nearer to it than to 100"
    extreme = series(5e-324, 1.7e308)
    assert (doubt(extreme[:1], extreme[1]) or "").startswith("1.7e+308 is inf times 4.94066e-324")


def test_a_reading_that_comes_late_is_judged_by_the_prices_around_it() -> None:
    # Given prices before and after, and readings of the time between
    stored = series(*[100.0] * 5, 100.0, 100.0)
    late = stored[5]
    past = [*stored[:5], stored[6]]
    slip = late._replace(price=1000.0)
    # Then a slip is dropped at once, a good one is good, one from before all is good too
    assert [one.outcome for one in judge(past, [slip])] == ["dropped"]
    assert [one.outcome for one in judge(past, [late])] == ["good"]
    assert [one.outcome for one in judge(past, [Point(START - QUARTER, 1e6)])] == ["good"]
    # ... one that is stored is not judged again
    assert [one.outcome for one in judge([*past, slip], [slip])] == ["good"]
    # ... and ticks that two updates held side by side confirm each other
    crash = [late._replace(at=stored[6].at + n * QUARTER, price=10.0) for n in (1, 2)]
    assert [one.outcome for one in judge(past, crash)] == ["good", "good"]


def chart(path: Path) -> list[Point]:
    found = json.loads(path.read_bytes())["prices"]
    return [Point(datetime.fromtimestamp(at / 1000, UTC), price) for at, price in found]


@pytest.mark.parametrize("path", CHARTS, ids=lambda path: path.stem)
def test_no_point_of_a_recorded_chart_is_suppressed(path: Path) -> None:
    points = chart(path)
    played = play(points)
    assert played.stored == points
    days = [f"{point.at:%Y-%m-%d}" for point in played.held]
    if "terra-luna" in path.name:
        assert days == ["2021-02-09", "2022-05-12", "2022-05-13"]
    elif "ethereum_usd_max" in path.name:
        assert days == ["2015-08-08"]  # its second day
    else:
        assert days == []


def test_slips_in_recorded_charts_are_held() -> None:
    slips = held = good = lost = 0
    for path in CHARTS:
        clean = chart(path)
        for turn, factor in enumerate(DECIMALS):
            points = [
                point._replace(price=point.price * factor, slip=True)
                if number % 31 == 5 * turn + 1
                else point
                for number, point in enumerate(clean)
            ]
            played = play(points)
            slips += sum(point.slip for point in points)
            held += sum(point.slip for point in played.held)
            good += sum(not point.slip for point in points)
            lost += sum(not point.slip for point in played.dropped)
    print(f"{held} of {slips} slips held, {lost} of {good} good points dropped")
    assert slips > (3000 if WHOLE else 10)
    assert held >= 0.99 * slips
    assert lost <= good / (10_000 if WHOLE else 1_000)


@pytest.mark.parametrize("factor", DECIMALS)
@pytest.mark.parametrize("day", ["2020-06-01", "2021-05-20", "2022-05-10", "2022-05-25"])
def test_a_slip_in_terra_luna_s_chart_does_not_pass(day: str, factor: float) -> None:
    (path,) = (one for one in CHARTS if "terra-luna" in one.name)
    points = [
        point._replace(price=point.price * factor, slip=True) if f"{point.at:%F}" == day else point
        for point in chart(path)
    ]
    played = play(points)
    assert [point.slip for point in played.dropped] == [True]
    assert len(played.stored) == len(points) - 1


def test_a_recorded_page_in_bitcoin_among_pages_in_dollars_is_held() -> None:
    # Given pages of three years, of which one has its prices in another currency
    found: dict[str, dict[datetime, Point]] = {}
    for path in sorted(COINGECKO.glob("markets_usd_*.json")):
        for row in json.loads(path.read_bytes()):
            if row["current_price"] is None:
                continue
            at = datetime.fromisoformat(row["last_updated"])
            point = Point(at, row["current_price"], slip="2024-04-13" in path.name)
            found.setdefault(row["id"], {}).setdefault(at, point)
    readings = {
        coin: sorted(points.values(), key=lambda point: point.at) for coin, points in found.items()
    }
    known = {coin: points for coin, points in readings.items() if not points[0].slip}
    # When
    played = {coin: play(points) for coin, points in known.items()}
    # Then of the coins that were known before, all of its prices are held, none is stored
    slips = sum(point.slip for points in known.values() for point in points)
    assert slips > (60 if WHOLE else 3)
    assert sum(point.slip for one in played.values() for point in one.held) == slips
    assert not any(point.slip for one in played.values() for point in one.stored)
    # ... and no good one is dropped, though there are months between the pages
    assert all(point.slip for one in played.values() for point in one.dropped)


def gauss(dice: random.Random) -> float:
    return dice.gauss(0, 1)


def heavy(dice: random.Random) -> float:
    """Student's t with three degrees of freedom, of variance 1: as prices' tails are."""
    return dice.gauss(0, 1) / math.sqrt(2 * dice.gammavariate(1.5, 1))


@pytest.mark.parametrize("noise", [gauss, heavy])
def test_a_month_of_random_walks_with_slips(noise: Callable[[random.Random], float]) -> None:
    """100 coins, whose volatility is from 0.06 % to 100 % a day, 2,880 slots each."""
    dice = random.Random(20261122)
    slips = held = good = lost = 0
    for _ in range(100):
        step = math.exp(dice.uniform(math.log(0.0006), 0)) / math.sqrt(96)
        level = dice.uniform(math.log(1e-9), math.log(1e5))
        points = []
        for number in range(2880):
            level += step * noise(dice)
            slip = number > 0 and dice.random() < 0.002
            factor = dice.choice(DECIMALS + UNITS) if slip else 1.0
            points.append(Point(START + number * QUARTER, math.exp(level) * factor, slip))
        played = play(points)
        slips += sum(point.slip for point in points)
        held += sum(point.slip for point in played.held)
        good += sum(not point.slip for point in points)
        # What is held for longer than one slot is what was dropped, for nothing waits for more.
        lost += sum(not point.slip for point in played.dropped)
    print(f"{held} of {slips} slips held, {lost} of {good} good ticks for longer than a slot")
    assert slips > 400
    assert held >= 0.99 * slips
    assert lost <= good / (10_000 if WHOLE else 1_000)
