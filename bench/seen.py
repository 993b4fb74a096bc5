"""Deprecated: use `python -m bench.perf.status_lag`."""

from logs.deprecation import run_renamed

if __name__ == "__main__":
    run_renamed("bench.seen", "bench.perf.status_lag")
