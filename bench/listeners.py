"""Deprecated: use `python -m bench.perf.sse`."""

from logs.deprecation import run_renamed

if __name__ == "__main__":
    run_renamed("bench.listeners", "bench.perf.sse")
