"""Times as CoinGecko writes them."""

import pytest

from simulator.timestamps import DAY, HOUR, MINUTE, SECOND, iso


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1_782_957_016_954, "2026-07-02T01:50:16.954Z"),
        (1_782_957_016_007, "2026-07-02T01:50:16.007Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
        (19_782 * DAY + 23 * HOUR + 59 * MINUTE + 59 * SECOND, "2024-02-29T23:59:59.000Z"),
    ],
)
def test_a_time_is_written_in_utc_with_three_digits_of_a_second(at: int, text: str) -> None:
    assert iso(at) == text
