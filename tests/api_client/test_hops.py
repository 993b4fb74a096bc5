"""How long each hop of an update took."""

from datetime import UTC, datetime, timedelta

import pytest

from api_client import hops

BEGIN = datetime(2026, 11, 23, tzinfo=UTC)


def reached(**seconds: float) -> dict[str, datetime]:
    return {name: BEGIN + timedelta(seconds=after) for name, after in seconds.items()}


def test_each_hop_takes_what_lies_between_it_and_the_one_before() -> None:
    way = reached(finished=5.5, published=0, streamed=0.5, fetched=1.5)
    assert hops.durations(way) == [("streamed", 0.5), ("fetched", 1), ("finished", 4)]
    assert hops.total(way) == 5.5


def test_a_clock_that_is_behind_makes_no_negative_hop() -> None:
    way = reached(published=2, streamed=1, finished=3)
    assert hops.durations(way) == [("streamed", 0), ("finished", 2)]


@pytest.mark.parametrize("way", [{}, reached(streamed=0)])
def test_one_hop_alone_took_no_time(way: dict[str, datetime]) -> None:
    assert hops.total(way) is None


@pytest.mark.parametrize(
    ("took", "text"), [(0.0004, "0 ms"), (0.25, "250 ms"), (1.25, "1.2 s"), (75, "75 s")]
)
def test_a_short_time(took: float, text: str) -> None:
    assert hops.seconds(took) == text
