"""Deprecated: use `python -m bench.perf.writes`."""

from logs.deprecation import run_renamed

if __name__ == "__main__":
    run_renamed("bench.writes", "bench.perf.writes")
