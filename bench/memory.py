"""Deprecated: use `python -m bench.perf.memory`."""

from logs.deprecation import run_renamed

if __name__ == "__main__":
    run_renamed("bench.memory", "bench.perf.memory")
