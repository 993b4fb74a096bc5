"""Deprecated: use `python -m bench.chaos.burst`."""

from logs.deprecation import run_renamed

if __name__ == "__main__":
    run_renamed("bench.burst", "bench.chaos.burst")
