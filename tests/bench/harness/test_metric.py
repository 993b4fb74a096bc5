"""Measured figures, and their table."""

import pytest

from bench.harness.metric import Figure, table


@pytest.mark.parametrize(
    ("figure", "good"),
    [
        (Figure("a", [0.9, 0.8, 0.7], at_least=0.8), True),
        (Figure("a", [0.9, 0.79, 0.7], at_least=0.8), False),
        (Figure("a", [9.0, 10.0, 30.0], at_most=10.0), True),
        (Figure("a", [9.0, 10.1, 11.0], at_most=10.0), False),
        (Figure("a", [1.0]), True),
    ],
)
def test_the_median_counts(figure: Figure, good: bool) -> None:
    assert figure.good is good


def test_the_table_shows_the_spread_and_what_must_be() -> None:
    lines = table(
        [
            Figure("`/stats`", [0.91, 0.85, 0.8], at_least=0.8),
            Figure("memory", [512.0], "MB", at_most=450),
            Figure("a second", [43_210.4, 45_000.0, 41_000.0]),
        ]
    ).splitlines()
    assert lines[2:] == [
        "| `/stats` | 0.85 | 0.80 to 0.91 | 3 | ≥ 0.80 | yes |",
        "| memory | 512.0 MB | 512.0 to 512.0 | 1 | ≤ 450.0 | **no** |",
        "| a second | 43,210 | 41,000 to 45,000 | 3 |  |  |",
    ]
