"""An update's hops: in which order they are reached, and how long each one took."""

from collections.abc import Mapping
from datetime import datetime
from itertools import pairwise

HOPS = (
    *("published", "streamed", "received", "started", "claimed"),
    *("fetched", "stored", "merged", "finished"),
)


def durations(reached: Mapping[str, datetime]) -> list[tuple[str, float]]:
    """The hops reached, each with the seconds since the one before; the first is where it began.

    Clocks of two machines may differ: a hop never takes less than nothing.
    """
    known = [(name, reached[name]) for name in HOPS if name in reached]
    return [
        (name, max(0.0, (at - before).total_seconds()))
        for (_, before), (name, at) in pairwise(known)
    ]


def total(reached: Mapping[str, datetime]) -> float | None:
    """Seconds from the first hop to the last; None before there are two."""
    steps = durations(reached)
    return sum(took for _, took in steps) if steps else None


def seconds(took: float) -> str:
    """A short time: "3 ms", "1.2 s", "75 s"."""
    if took < 1:
        return f"{took * 1000:.0f} ms"
    return f"{took:.1f} s" if took < 10 else f"{took:.0f} s"
