"""Deprecated: use `python -m bench.perf.storage`."""

from logs.deprecation import run_renamed

if __name__ == "__main__":
    run_renamed("bench.storage", "bench.perf.storage")
