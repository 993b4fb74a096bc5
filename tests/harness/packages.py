"""The product's own packages: every one at the top level but the tests and the benchmarks."""

from collections.abc import Iterator
from pathlib import Path

from settings import ROOT

PACKAGES = sorted({file.parent.name for file in ROOT.glob("*/__init__.py")} - {"tests", "bench"})


def modules() -> Iterator[Path]:
    """Each module of the product."""
    for package in PACKAGES:
        yield from sorted((ROOT / package).rglob("*.py"))
