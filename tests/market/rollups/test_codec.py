"""Numbers as texts: every double comes back to the last digit."""

import math
import random
import struct

from market.rollups.codec import above, lowered, numbers, raised, steps, whole, wholes

ODD = [0.0, 5e-324, 1.7976931348623157e308, 0.1, 1e22, 1e23, 123456789.123456789, 2.5e-7, 1e-300]


def doubles(dice: random.Random, count: int) -> list[float]:
    """Doubles of any size, from any bits."""
    found: list[float] = []
    while len(found) < count:
        [number] = struct.unpack("d", dice.randbytes(8))
        if math.isfinite(number):
            found.append(abs(number))
    return found


def test_every_double_comes_back() -> None:
    dice = random.Random(1)
    many = ODD + doubles(dice, 300) + [round(dice.uniform(0, 1e5), 2) for _ in range(300)]
    dice.shuffle(many)
    assert list(numbers(steps(many))) == many


def test_what_is_missing_stays_missing() -> None:
    some = [None, 1.5, None, None, 1.25, 1e12, None]
    assert list(numbers(steps(some))) == some
    assert list(numbers(steps([]))) == []


def test_what_is_above_or_below_comes_back() -> None:
    dice = random.Random(2)
    pairs = [sorted(doubles(dice, 2)) for _ in range(200)] + [[1.5, 1.5], [0.1, 0.3]]
    low, high = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    text = above(high, low)
    assert raised(text, low) == high
    assert lowered(text, high) == low


def test_they_are_short() -> None:
    assert steps([89432.0, 89702.0, 89702.0, 89701.5]) == "89432 270 0 -0.5"
    assert above([2.0, 3.5], [2.0, 3.0]) == "0 0.5"
    assert wholes(whole([0, 12, 3599999])) == [0, 12, 3599999]
