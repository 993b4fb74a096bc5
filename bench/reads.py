"""Deprecated: use `python -m bench.perf.reads`."""

from logs.deprecation import run_renamed

if __name__ == "__main__":
    run_renamed("bench.reads", "bench.perf.reads")
