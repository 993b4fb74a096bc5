"""Deprecated: use `python -m bench.perf.latency`."""

from logs.deprecation import run_renamed

if __name__ == "__main__":
    run_renamed("bench.event_to_readable", "bench.perf.latency")
