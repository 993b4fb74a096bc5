"""Module paths that were renamed still run for one release, and say so."""

import runpy
import sys


def run_renamed(old: str, new: str) -> None:
    """Does what `python -m new` does, for whoever still writes `python -m old`."""
    print(f"python -m {old} is deprecated: use python -m {new}", file=sys.stderr)
    runpy.run_module(new, run_name="__main__", alter_sys=True)
