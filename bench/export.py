"""Deprecated: use `python -m bench.perf.export`."""

from logs.deprecation import run_renamed

if __name__ == "__main__":
    run_renamed("bench.export", "bench.perf.export")
