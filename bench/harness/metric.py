"""One measured figure, with its spread and what it must be."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """What was measured in several runs, in `unit`; its median is what counts.

    `at_least` or `at_most` is what it must be; a figure without either is only told.
    """

    name: str
    runs: Sequence[float]
    unit: str = ""
    at_least: float | None = None
    at_most: float | None = None

    @property
    def median(self) -> float:
        """The middle of the runs."""
        return statistics.median(self.runs)

    @property
    def good(self) -> bool:
        """Whether it is what it must be."""
        if self.at_least is not None:
            return self.median >= self.at_least
        return self.at_most is None or self.median <= self.at_most

    @property
    def target(self) -> str:
        """What it must be, as text."""
        if self.at_least is not None:
            return f"≥ {_number(self.at_least)}"
        return "" if self.at_most is None else f"≤ {_number(self.at_most)}"


def table(figures: Iterable[Figure]) -> str:
    """The figures as a table in Markdown."""
    lines = ["| measure | median | spread | runs | must be | |", "|---|---|---|---|---|---|"]
    for one in figures:
        unit = f" {one.unit}" if one.unit else ""
        spread = f"{_number(min(one.runs))} to {_number(max(one.runs))}"
        judged = "" if not one.target else "yes" if one.good else "**no**"
        lines.append(
            f"| {one.name} | {_number(one.median)}{unit} | {spread} | {len(one.runs)} "
            f"| {one.target} | {judged} |"
        )
    return "\n".join(lines)


def _number(value: float) -> str:
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.2f}" if value < 10 else f"{value:.1f}"
