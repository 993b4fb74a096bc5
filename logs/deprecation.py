"""Keeps renamed module paths working for one release, with a deprecation notice."""

import runpy
import sys


def run_renamed(old: str, new: str) -> None:
    """Runs `python -m new` for callers that still use `python -m old`."""
    print(f"python -m {old} is deprecated: use python -m {new}", file=sys.stderr)
    runpy.run_module(new, run_name="__main__", alter_sys=True)
